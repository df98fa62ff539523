package twiliofake_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twilio/twilio-go/client"
	tsync "github.com/twilio/twilio-go/rest/sync/v1"

	"github.com/flexfn/flexfn/twiliofake"
)

// code returns the status and Twilio's code of an error.
func code(t *testing.T, err error) string {
	t.Helper()
	var refusal *client.TwilioRestError
	if err == nil {
		return ""
	}
	if !errors.As(err, &refusal) {
		t.Fatalf("the error is not Twilio's: %v", err)
	}
	return fmt.Sprint(refusal.Status, " ", refusal.Code)
}

func newSync(t *testing.T) (*twiliofake.Twilio, *tsync.ApiService, string) {
	t.Helper()
	fake := newFake(t)
	api := tsync.NewApiService(newClient(fake))
	service := must[*tsync.SyncV1Service](t)(api.CreateService(new(tsync.CreateServiceParams).SetFriendlyName("s")))
	return fake, api, *service.Sid
}

func TestSyncMaps(t *testing.T) {
	_, api, service := newSync(t)
	m := must[*tsync.SyncV1SyncMap](t)(api.CreateSyncMap(service, new(tsync.CreateSyncMapParams).SetUniqueName("parked")))
	if *m.Revision != "0" || *m.CreatedBy != "system" || *m.UniqueName != "parked" || m.DateExpires != nil {
		t.Errorf("the map is %+v", m)
	}
	_, err := api.CreateSyncMap(service, new(tsync.CreateSyncMapParams).SetUniqueName("parked"))
	if got := code(t, err); got != "409 54301" {
		t.Errorf("a second map of that name: %s", got)
	}
	for _, key := range []string{"b", "a", "d", "c"} {
		item := must[*tsync.SyncV1SyncMapItem](t)(api.CreateSyncMapItem(service, "parked", new(tsync.CreateSyncMapItemParams).SetKey(key).SetData(map[string]any{"key": key})))
		if *item.Key != key || *item.MapSid != *m.Sid || (*item.Data).(map[string]any)["key"] != key {
			t.Errorf("the item is %+v", item)
		}
	}
	_, err = api.CreateSyncMapItem(service, "parked", new(tsync.CreateSyncMapItemParams).SetKey("a").SetData(map[string]any{}))
	if got := code(t, err); got != "409 54208" {
		t.Errorf("a second item of that key: %s", got)
	}
	keys := func(p *tsync.ListSyncMapItemParams) string {
		t.Helper()
		var got strings.Builder
		for _, item := range must[[]tsync.SyncV1SyncMapItem](t)(api.ListSyncMapItem(service, *m.Sid, p)) {
			got.WriteString(*item.Key)
		}
		return got.String()
	}
	list := func() *tsync.ListSyncMapItemParams { return new(tsync.ListSyncMapItemParams) }
	for want, p := range map[string]*tsync.ListSyncMapItemParams{
		"abcd": list(), "dcba": list().SetOrder("desc").SetPageSize(3), "cd": list().SetFrom("c"), "d": list().SetFrom("c").SetBounds("exclusive"),
		"ba": list().SetOrder("desc").SetFrom("b").SetBounds("inclusive"),
	} {
		if got := keys(p); got != want {
			t.Errorf("the keys are %s, want %s", got, want)
		}
	}
	if err := api.DeleteSyncMapItem(service, "parked", "b", nil); err != nil {
		t.Error(err)
	}
	if _, err := api.FetchSyncMapItem(service, "parked", "b"); code(t, err) != "404 20404" {
		t.Errorf("a removed item: %v", err)
	}
	must[*tsync.SyncV1SyncMapItem](t)(api.CreateSyncMapItem(service, "parked", new(tsync.CreateSyncMapItemParams).SetKey("b").SetData(map[string]any{})))
}

// TestSyncRevisions has twenty writers increment a number. If-Match accepts the
// revision, and no increment is lost.
func TestSyncRevisions(t *testing.T) {
	_, api, service := newSync(t)
	doc := must[*tsync.SyncV1Document](t)(api.CreateDocument(service, new(tsync.CreateDocumentParams).SetUniqueName("n").SetData(map[string]any{"n": 0})))
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for {
				now, err := api.FetchDocument(service, "n")
				if err != nil {
					t.Error(err)
					return
				}
				n := (*now.Data).(map[string]any)["n"].(float64)
				_, err = api.UpdateDocument(service, "n", new(tsync.UpdateDocumentParams).SetIfMatch(*now.Revision).SetData(map[string]any{"n": n + 1}))
				if err == nil {
					return
				}
				if got := code(t, err); got != "412 20412" {
					t.Error(got)
					return
				}
			}
		})
	}
	wg.Wait()
	now := must[*tsync.SyncV1Document](t)(api.FetchDocument(service, *doc.Sid))
	if n := (*now.Data).(map[string]any)["n"]; n != 20.0 || *now.Revision != "20" {
		t.Errorf("the document holds %v at revision %s, want 20 at 20", n, *now.Revision)
	}
	_, err := api.UpdateDocument(service, "n", new(tsync.UpdateDocumentParams).SetData("text"))
	refused(t, err, "Data")
	_, err = api.UpdateDocument(service, "n", new(tsync.UpdateDocumentParams).SetTtl(31536001))
	refused(t, err, "Ttl")
}

func TestSyncLists(t *testing.T) {
	_, api, service := newSync(t)
	l := must[*tsync.SyncV1SyncList](t)(api.CreateSyncList(service, new(tsync.CreateSyncListParams).SetUniqueName("l")))
	add := func() int {
		t.Helper()
		item := must[*tsync.SyncV1SyncListItem](t)(api.CreateSyncListItem(service, "l", new(tsync.CreateSyncListItemParams).SetData(map[string]any{})))
		return item.Index
	}
	for want := range 12 {
		if got := add(); got != want {
			t.Fatalf("item %d has index %d", want, got)
		}
	}
	if err := api.DeleteSyncListItem(service, *l.Sid, 11, nil); err != nil {
		t.Fatal(err)
	}
	if got := add(); got != 12 {
		t.Errorf("after a removal the next index is %d, want 12", got)
	}
	var got []int
	for _, item := range must[[]tsync.SyncV1SyncListItem](t)(api.ListSyncListItem(service, "l", new(tsync.ListSyncListItemParams).SetOrder("desc").SetFrom("10"))) {
		got = append(got, item.Index)
	}
	if fmt.Sprint(got) != "[10 9 8 7 6 5 4 3 2 1 0]" {
		t.Errorf("the list downward from 10 is %v", got)
	}
}

// TestSyncExpiry waits until items expire. Each is deleted exactly when its
// time to live ends, with everything below it.
func TestSyncExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, api, service := newSync(t)
		must[*tsync.SyncV1Document](t)(api.CreateDocument(service, new(tsync.CreateDocumentParams).SetUniqueName("short").SetTtl(60)))
		must[*tsync.SyncV1Document](t)(api.CreateDocument(service, new(tsync.CreateDocumentParams).SetUniqueName("longer").SetTtl(60)))
		must[*tsync.SyncV1Document](t)(api.CreateDocument(service, new(tsync.CreateDocumentParams).SetUniqueName("forever").SetTtl(0)))
		m := must[*tsync.SyncV1SyncMap](t)(api.CreateSyncMap(service, new(tsync.CreateSyncMapParams).SetUniqueName("m").SetTtl(100)))
		must[*tsync.SyncV1SyncMapItem](t)(api.CreateSyncMapItem(service, "m", new(tsync.CreateSyncMapItemParams).SetKey("k").SetData(map[string]any{}).SetItemTtl(30)))
		must[*tsync.SyncV1SyncMapItem](t)(api.CreateSyncMapItem(service, "m", new(tsync.CreateSyncMapItemParams).SetKey("l").SetData(map[string]any{}).SetCollectionTtl(200)))
		time.Sleep(29 * time.Second)
		must[*tsync.SyncV1SyncMapItem](t)(api.FetchSyncMapItem(service, "m", "k"))
		time.Sleep(2 * time.Second)
		if _, err := api.FetchSyncMapItem(service, "m", "k"); code(t, err) != "404 20404" {
			t.Errorf("the item is still there: %v", err)
		}
		must[*tsync.SyncV1Document](t)(api.UpdateDocument(service, "longer", new(tsync.UpdateDocumentParams).SetTtl(600)))
		time.Sleep(30 * time.Second)
		var names []string
		for _, d := range must[[]tsync.SyncV1Document](t)(api.ListDocument(service, nil)) {
			names = append(names, *d.UniqueName)
		}
		if fmt.Sprint(names) != "[longer forever]" {
			t.Errorf("after a minute there are %v", names)
		}
		must[*tsync.SyncV1Document](t)(api.CreateDocument(service, new(tsync.CreateDocumentParams).SetUniqueName("short")))
		state := fake.State()
		if err := fake.SetState(state); err != nil {
			t.Fatal(err)
		}
		time.Sleep(60 * time.Second)
		must[*tsync.SyncV1SyncMap](t)(api.FetchSyncMap(service, *m.Sid))
		time.Sleep(90 * time.Second)
		if _, err := api.ListSyncMapItem(service, *m.Sid, nil); code(t, err) != "404 20404" {
			t.Errorf("the map's items are still there: %v", err)
		}
		if n := len(fake.State().Resources["sync_map_items"]); n != 0 {
			t.Errorf("the state keeps %d items of a map that has expired", n)
		}
	})
}

// TestSyncPermissions grants, changes and withdraws an identity's permissions.
func TestSyncPermissions(t *testing.T) {
	_, api, service := newSync(t)
	must[*tsync.SyncV1Document](t)(api.CreateDocument(service, new(tsync.CreateDocumentParams).SetUniqueName("d")))
	if _, err := api.FetchDocumentPermission(service, "d", "ada"); code(t, err) != "404 20404" {
		t.Errorf("a permission that was never granted: %v", err)
	}
	grant := func(read, write bool) *tsync.SyncV1DocumentPermission {
		return must[*tsync.SyncV1DocumentPermission](t)(api.UpdateDocumentPermission(service, "d", "ada",
			new(tsync.UpdateDocumentPermissionParams).SetRead(read).SetWrite(write).SetManage(false)))
	}
	if p := grant(true, false); !*p.Read || *p.Write || *p.Manage || *p.Identity != "ada" {
		t.Errorf("the permission is %+v", p)
	}
	grant(true, true)
	if all := must[[]tsync.SyncV1DocumentPermission](t)(api.ListDocumentPermission(service, "d", nil)); len(all) != 1 || !*all[0].Write {
		t.Errorf("the permissions are %+v", all)
	}
	if err := api.DeleteDocumentPermission(service, "d", "ada"); err != nil {
		t.Error(err)
	}
	if _, err := api.FetchDocumentPermission(service, "d", "ada"); code(t, err) != "404 20404" {
		t.Errorf("a withdrawn permission: %v", err)
	}
	grant(true, true)
	if err := api.DeleteDocument(service, "d"); err != nil {
		t.Error(err)
	}
	must[*tsync.SyncV1Document](t)(api.CreateDocument(service, new(tsync.CreateDocumentParams).SetUniqueName("d")))
	if all := must[[]tsync.SyncV1DocumentPermission](t)(api.ListDocumentPermission(service, "d", nil)); len(all) != 0 {
		t.Errorf("a new document has the permissions %+v", all)
	}
}

// TestSyncStreams publishes to a stream until it expires.
func TestSyncStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, api, service := newSync(t)
		must[*tsync.SyncV1SyncStream](t)(api.CreateSyncStream(service, new(tsync.CreateSyncStreamParams).SetUniqueName("s").SetTtl(60)))
		publish := func(data any) (*tsync.SyncV1StreamMessage, error) {
			return api.CreateStreamMessage(service, "s", new(tsync.CreateStreamMessageParams).SetData(data))
		}
		m := must[*tsync.SyncV1StreamMessage](t)(publish(map[string]any{"a": "b"}))
		if (*m.Data).(map[string]any)["a"] != "b" || !strings.HasPrefix(*m.Sid, "TZ") {
			t.Errorf("the message is %+v", m)
		}
		if _, err := publish([]int{1}); code(t, err) != "400 20001" {
			t.Errorf("data that is not an object: %v", err)
		}
		if _, err := publish(map[string]any{"a": strings.Repeat("x", 5000)}); code(t, err) != "413 54006" {
			t.Errorf("too much data: %v", err)
		}
		time.Sleep(62 * time.Second)
		if _, err := publish(map[string]any{}); code(t, err) != "404 20404" {
			t.Errorf("a stream that has expired: %v", err)
		}
	})
}

// TestDefaultSyncService uses the service that needs no SID, as functions do
// that have none configured.
func TestDefaultSyncService(t *testing.T) {
	fake := newFake(t)
	const services = "https://sync.twilio.com/v1/Services"
	if got := ask(t, fake, "GET", services, "").items(t, "services"); len(got) != 0 {
		t.Errorf("there are services already: %v", got)
	}
	ask(t, fake, "POST", services+"/default/Documents", "UniqueName=d&Data=%7B%22a%22%3A1%7D").want(t, 201, "unique_name", "d")
	service := ask(t, fake, "GET", services+"/default", "").want(t, 200, "friendly_name", "Default Service")
	ask(t, fake, "GET", services+"/"+service.sid(t)+"/Documents/d", "").want(t, 200, "service_sid", service.sid(t))
	if got := ask(t, fake, "GET", services, "").items(t, "services"); len(got) != 1 {
		t.Errorf("there are %d services, want 1", len(got))
	}
	big := url.Values{"Data": {`{"a": "` + strings.Repeat("x", 16<<10) + `"}`}}.Encode()
	ask(t, fake, "POST", services+"/default/Documents", big).want(t, 413, "code", 54006)
	ask(t, fake, "POST", services+"/default/Documents/d", big).want(t, 413, "code", 54006)
}
