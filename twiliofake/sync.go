package twiliofake

import (
	"net/http"
	"strconv"
	"time"
)

// syncRows are the resources of sync.twilio.com. An item's revision counts its
// changes and makes its ETag. Items are deleted when their time to live is
// over. The SDKs for browsers use a different protocol, which the fake does not
// have; it has the REST API that functions use. Limits are those of
// https://www.twilio.com/docs/sync/limits.
func syncRows() []resource {
	const service = "/v1/Services/{service_sid}"
	initial := func(more ...field) []field {
		return append([]field{
			{"created_by", text, "system", never},
			{"date_expires", instant, nil, never},
			{"revision", text, "0", never}, // the last field, since streams do not have it
		}, more...)
	}
	data := field{"data", value, map[string]any{}, never}
	named := []unique{{field: "unique_name", code: 54301}}
	return []resource{
		{
			name: "sync_services", host: "sync", prefix: "IS", table: true, can: all,
			// _default is "default" for the service that can be named so, which
			// defaultSyncService makes when it is first asked for.
			paths: []string{"/v1/Services/{sid}"}, alias: []string{"_default"}, scope: defaultSyncService,
			fields: []field{
				{"_default", text, nil, never},
				{"acl_enabled", boolean, false, never},
				{"reachability_webhooks_enabled", boolean, false, never},
				{"reachability_debouncing_enabled", boolean, false, never},
				{"reachability_debouncing_window", integer, 5000, never},
				{"webhooks_from_rest_enabled", boolean, false, never},
			},
		},
		{
			name: "sync_documents", host: "sync", prefix: "ET", table: true, can: all, etag: true,
			paths: []string{service + "/Documents/{sid}"}, alias: []string{"unique_name"}, unique: named,
			fields: initial(data), create: saveSync, update: saveSync, view: viewSync,
		},
		{
			name: "sync_lists", host: "sync", prefix: "ES", table: true, can: all,
			paths: []string{service + "/Lists/{sid}"}, alias: []string{"unique_name"}, unique: named,
			fields: initial(), create: saveSync, update: saveSync, view: viewSync,
		},
		{
			// Items are listed by index, which only grows: an index is never
			// used again.
			name: "sync_list_items", host: "sync", table: true, can: all, etag: true,
			paths:  []string{service + "/Lists/{list_sid}/Items/{index}"},
			fields: initial(data), create: createSyncListItem, update: saveSyncItem, view: viewSync,
			sorted: true, turned: true, narrow: syncBounds,
		},
		{
			name: "sync_maps", host: "sync", prefix: "MP", table: true, can: all,
			paths: []string{service + "/Maps/{sid}"}, alias: []string{"unique_name"}, unique: named,
			fields: initial(), create: saveSync, update: saveSync, view: viewSync,
		},
		{
			// If a key is taken, the code is 54208.
			name: "sync_map_items", host: "sync", table: true, can: all, etag: true,
			paths: []string{service + "/Maps/{map_sid}/Items/{key}"}, unique: []unique{{field: "key", code: 54208}},
			fields: initial(data), create: saveSyncItem, update: saveSyncItem, view: viewSync,
			sorted: true, turned: true, narrow: syncBounds,
		},
		{
			name: "sync_streams", host: "sync", prefix: "TO", table: true, can: all,
			paths: []string{service + "/Streams/{sid}"}, alias: []string{"unique_name"}, unique: named,
			fields: initial()[:2], create: saveSync, update: saveSync,
		},
		{
			// A published message is not kept: there are no subscribers, and
			// the API cannot read messages.
			name: "sync_stream_messages", host: "sync", can: update, special: publish,
			paths: []string{service + "/Streams/{stream_sid}/Messages"},
		},
		syncPermissions("sync_document_permissions", service+"/Documents/{document_sid}"),
		syncPermissions("sync_list_permissions", service+"/Lists/{list_sid}"),
		syncPermissions("sync_map_permissions", service+"/Maps/{map_sid}"),
	}
}

// syncPermissions returns the row of what identities may do with an item: the
// first update grants it, and it is deleted with the item. The fake does not
// enforce permissions, and neither does Twilio's REST API. See
// https://www.twilio.com/docs/sync/api/sync-permissions.
func syncPermissions(name, item string) resource {
	return resource{
		name: name, host: "sync", table: true, bare: true, upsert: true, can: fetch | update | remove | list,
		paths: []string{item + "/Permissions/{identity}"},
	}
}

// defaultSyncService makes the account's default service if the path names it
// and there is none. See https://www.twilio.com/docs/sync/api/service.
func defaultSyncService(c *call) *collection {
	services := c.account.makeChild("sync/v1/Services")
	named := len(c.node.vars) > 0 && c.vars[c.node.vars[0]] == "default"
	if named && services.find("default", []string{"_default"}) == nil {
		service := c.blank("sync_services", c.account)
		service.setAll(map[string]any{"_default": "default", "friendly_name": "Default Service"})
		c.add(service)
	}
	return services
}

// maxSyncData is how large the data of a document or an item can be, in bytes,
// as twilio-go's comment on Data says.
const maxSyncData = 16 << 10

// maxStreamMessage is how large the data of a stream's message can be, in bytes.
const maxStreamMessage = 4 << 10

// publish answers a message to a stream, which has no subscribers. The SID in
// the answer cannot be looked up afterwards.
func publish(c *call) (*response, *apiError) {
	if _, err := c.parameters(); err != nil {
		return nil, err
	}
	data, err := decodeObject([]byte(c.form.Get("Data")))
	if err != nil {
		return nil, invalid("Data must be a JSON object: %v", err)
	}
	if len(c.form.Get("Data")) > maxStreamMessage {
		return nil, refuse(http.StatusRequestEntityTooLarge, 54006, "The data is larger than %d bytes", maxStreamMessage)
	}
	return jsonResponse(http.StatusCreated, map[string]any{"sid": c.store.hex32("TZ"), "data": data}), nil
}

// viewSync adds the revision to an answer. It is a string, as twilio-go's model
// says.
func viewSync(_ *call, rec *record, m map[string]any) {
	m["revision"] = strconv.Itoa(int(rec.version))
}

// saveSync checks an item's data and restarts its time to live. ItemTtl and Ttl
// mean the same; twilio-go has both. CollectionTtl belongs to a list or a map
// itself; for an item saveSyncItem handles it.
func saveSync(c *call, rec *record) *apiError {
	if c.form.Has("Data") {
		v, _ := rec.raw("data")
		if p, ok := v.(packed); !ok || p[0] != '{' {
			return invalid("Data must be a JSON object, not %.100q", c.form.Get("Data"))
		}
		if len(c.form.Get("Data")) > maxSyncData {
			return refuse(http.StatusRequestEntityTooLarge, 54006, "The data is larger than %d bytes", maxSyncData)
		}
	}
	for _, param := range []string{"ItemTtl", "Ttl"} {
		if err := c.expireAfter(rec, param); err != nil {
			return err
		}
	}
	if c.parent.kind.name != "sync_services" {
		return nil
	}
	return c.expireAfter(rec, "CollectionTtl")
}

// saveSyncItem does the same for an item of a list or map. It may also set the
// time to live of that list or map. The parent keeps its revision, since a new
// time to live does not change its contents.
func saveSyncItem(c *call, rec *record) *apiError {
	if err := saveSync(c, rec); err != nil || !c.form.Has("CollectionTtl") {
		return err
	}
	next := c.parent.clone()
	if err := c.expireAfter(next, "CollectionTtl"); err != nil {
		return err
	}
	c.store.commit(c.parent, next)
	return nil
}

// createSyncListItem assigns an index to an item. Indexes are never reused. The
// parent keeps the next index in _next, so removing the last item does not free
// its index.
func createSyncListItem(c *call, rec *record) *apiError {
	rec.id = strconv.Itoa(c.parent.number("_next"))
	c.parent.set("_next", c.parent.number("_next")+1)
	return saveSyncItem(c, rec)
}

// maxTTL is Sync's longest time to live, in seconds: a year.
const maxTTL = 31536000

// expireAfter sets an item's expiry from a parameter in seconds; 0 means never.
// An expired item is deleted with the next request; until then clients see the
// date.
func (c *call) expireAfter(rec *record, param string) *apiError {
	if !c.form.Has(param) {
		return nil
	}
	seconds, err := strconv.Atoi(c.form.Get(param))
	if err != nil || seconds < 0 || seconds > maxTTL {
		return invalid("%s must be from 0 to %d seconds, not %.40q", param, maxTTL, c.form.Get(param))
	}
	if seconds == 0 {
		rec.set("date_expires", nil)
		return nil
	}
	// Dates have no fraction; round up so that nothing expires early.
	at := c.now.Add(time.Duration(seconds)*time.Second + time.Second - 1).Truncate(time.Second)
	rec.set("date_expires", at.Format(time.RFC3339))
	return nil
}

// syncBounds are the parameters From and Bounds of a list of items. From names
// an item at which the list begins, in the order that Order chooses. That item
// is included unless Bounds is exclusive.
var syncBounds = map[string]func(*call, []string) (func(*record) bool, *apiError){
	"From": func(c *call, values []string) (func(*record) bool, *apiError) {
		bounds := c.query.Get("Bounds")
		if bounds != "" && bounds != "inclusive" && bounds != "exclusive" {
			return nil, invalid("Invalid value for parameter Bounds: %.100q", bounds)
		}
		return func(rec *record) bool {
			order := compareID(rec, values[0])
			if c.query.Get("Order") == "desc" {
				order = -order
			}
			return order > 0 || order == 0 && bounds != "exclusive"
		}, nil
	},
	"Bounds": everyItem,
}
