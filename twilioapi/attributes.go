package twilioapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/internal/conflict"
	taskrouter "github.com/twilio/twilio-go/rest/taskrouter/v1"
)

// UpdateTaskAttributes merges update, a JSON object, into the attributes of a
// task in the app's Flex workspace, as [MergeAttributes] does. It returns the
// stored attributes.
//
// No concurrent update is lost: Twilio accepts an update only for the version
// that was read (ETag and If-Match), and after a conflict UpdateTaskAttributes
// reads, merges and sends again. Updates of one task take turns within an app.
// A lost answer does no harm, since merging twice gives the same result.
//
//	res := twilioapi.UpdateTaskAttributes(ctx, in.TaskSID, json.RawMessage(`{"callback":{"attempts":2}}`))
//
// An update that is not a JSON object fails with status 400. An update starts
// again at most 60 times because others were faster; those retries count
// towards neither the retry limit nor the budget. A null at the top of update
// removes the key; a nested null is stored.
func UpdateTaskAttributes(ctx context.Context, taskSID string, update json.RawMessage, opts ...flexfn.RetryOption) flexfn.Result[json.RawMessage] {
	return updateAttributes(ctx, tasks, taskSID, func(old json.RawMessage) (json.RawMessage, error) {
		return MergeAttributes(old, update)
	}, opts)
}

// UpdateWorkerAttributes sets each key of update, a JSON object, in a worker's
// attributes, and returns the stored worker. Unlike [UpdateTaskAttributes] it
// does not merge deeply: a list such as skills is replaced as a whole, and a
// null is stored. No concurrent update is lost.
//
//	res := twilioapi.UpdateWorkerAttributes(ctx, in.WorkerSID, json.RawMessage(`{"skills":["billing"]}`))
func UpdateWorkerAttributes(ctx context.Context, workerSID string, update json.RawMessage, opts ...flexfn.RetryOption) flexfn.Result[*taskrouter.TaskrouterV1Worker] {
	var stored *taskrouter.TaskrouterV1Worker
	kind := workers
	kind.store = func(client *Client, workspace, sid, etag, attributes string) (*string, error) {
		var err error
		stored, err = taskrouter.NewApiService(client).UpdateWorker(workspace, sid, &taskrouter.UpdateWorkerParams{IfMatch: &etag, Attributes: &attributes})
		if err != nil {
			return nil, err
		}
		return stored.Attributes, nil
	}
	change := func(old json.RawMessage) (json.RawMessage, error) { return assignObject(old, update) }
	res := updateAttributes(ctx, kind, workerSID, change, opts)
	worker := flexfn.Result[*taskrouter.TaskrouterV1Worker]{Success: true, Status: res.Status, Data: stored}
	if !res.Success {
		worker = failed[*taskrouter.TaskrouterV1Worker](res.Err())
	}
	worker.Attempts = res.Attempts
	return worker
}

// attributed is a kind of TaskRouter resource that has attributes.
type attributed struct {
	name       string
	sid        string // prefix
	collection string // in paths
	// store stores attributes; nil means [attributed.storeAttributes].
	store func(client *Client, workspace, sid, etag, attributes string) (*string, error)
}

var (
	tasks   = attributed{name: "task", sid: taskPrefix, collection: "Tasks"}
	workers = attributed{name: "worker", sid: workerPrefix, collection: "Workers"}
)

// exchange sends a request about a resource. It decodes only the attributes of
// the answer: decoding twilio-go's whole resource would take half of an
// update's time (BenchmarkUpdateTaskAttributes).
func (k attributed) exchange(client *Client, method, workspace, sid string, data url.Values, headers map[string]any) (*string, error) {
	host := "taskrouter.twilio.com"
	if client.Region != "" || client.Edge != "" {
		base, err := client.BuildUrl("https://" + host)
		if err != nil {
			return nil, err
		}
		host = strings.TrimPrefix(base, "https://")
	}
	// Both SIDs have been checked, so there is nothing to parse.
	address := &url.URL{Scheme: "https", Host: host, Path: "/v1/Workspaces/" + workspace + "/" + k.collection + "/" + sid}
	resp, answer, err := client.Client.(*sender).send(method, address, data, headers, nil)
	if err != nil {
		return nil, err
	}
	var resource struct{ Attributes *string }
	err = json.Unmarshal(answer, &resource)
	if _, ok := errors.AsType[*json.SyntaxError](err); ok {
		err = notJSON(resp, answer)
	}
	return resource.Attributes, err
}

func (k attributed) fetch(client *Client, workspace, sid string) (*string, error) {
	return k.exchange(client, http.MethodGet, workspace, sid, url.Values{}, nil)
}

func (k attributed) storeAttributes(client *Client, workspace, sid, etag, attributes string) (*string, error) {
	if k.store != nil {
		return k.store(client, workspace, sid, etag, attributes)
	}
	return k.exchange(client, http.MethodPost, workspace, sid, url.Values{"Attributes": {attributes}}, map[string]any{"If-Match": etag})
}

// mostConflicts is how often one update starts again because others were faster.
const mostConflicts = 60

// updateAttributes changes the attributes of a resource: it takes its turn,
// and then reads, changes and stores until no conflict occurs. Conflicts have
// a limit of their own, since with many writers they are normal.
func updateAttributes(ctx context.Context, kind attributed, sid string, change func(json.RawMessage) (json.RawMessage, error), opts []flexfn.RetryOption) flexfn.Result[json.RawMessage] {
	workspace, err := workspaceOf(ctx)
	if err == nil {
		err = checkSID(kind.name, kind.sid, sid)
	}
	if err != nil {
		return failed[json.RawMessage](err)
	}
	done, err := takeTurn(ctx, conflict.Take, sid, kind.name)
	if err != nil {
		return failed[json.RawMessage](err)
	}
	defer done()

	return ExecuteTwilio(conflict.WithLimit(ctx, mostConflicts), func(client *Client) (json.RawMessage, error) {
		return updateOnce(client, kind, workspace, sid, change)
	}, opts...)
}

// takeTurn waits until no other update of the same key is running: with
// conflict.Take in this app, without which most updates of a busy task would
// conflict; with conflict.TakeShared in all instances that share a Store, for
// what Twilio does not version.
func takeTurn(ctx context.Context, take func(context.Context, string) (func(), error), key, what string) (done func(), err error) {
	if flexfn.FromContext(ctx) == nil {
		return nil, noApp()
	}
	done, err = take(ctx, key)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return nil, &flexfn.Error{Status: http.StatusServiceUnavailable, Message: "other updates of this " + what + " took too long", RetryAfter: time.Second, Err: err}
	case err != nil:
		return nil, &flexfn.Error{Status: http.StatusServiceUnavailable, Message: "the request was cancelled while it waited for other updates of this " + what, Err: err}
	}
	return done, nil
}

// updateOnce reads, changes and stores the attributes once. It fails with
// status 412 if another writer stored in between.
func updateOnce(client *Client, kind attributed, workspace, sid string, change func(json.RawMessage) (json.RawMessage, error)) (json.RawMessage, error) {
	old, err := kind.fetch(client, workspace, sid)
	if err != nil {
		return nil, err
	}
	etag := revision(ResponseHeader(client).Get("ETag"))
	if etag == "" {
		return nil, &flexfn.Error{Status: http.StatusBadGateway, Message: "Twilio sent the " + kind.name + " without a version (ETag), so that it cannot be updated safely"}
	}
	if old == nil || *old == "" {
		old = new("{}")
	}
	changed, err := change(json.RawMessage(*old))
	if err != nil {
		return nil, err
	}
	stored, err := kind.storeAttributes(client, workspace, sid, etag, string(changed))
	if err != nil {
		return nil, err
	}
	if stored == nil {
		return changed, nil
	}
	return json.RawMessage(*stored), nil
}

// revision returns an ETag in the form that Twilio accepts in If-Match: without
// quotes, and without the W/ of a weak one.
func revision(etag string) string { return strings.Trim(strings.TrimPrefix(etag, "W/"), `"`) }
