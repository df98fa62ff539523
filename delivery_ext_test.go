package flexfn_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/flexfntest"
)

// TestSignedDeliveriesAreNotDropped sends signed requests that the function
// cannot read. After a 4xx, Event Streams would drop them.
func TestSignedDeliveriesAreNotDropped(t *testing.T) {
	app := flexfntest.New(t, func(c *flexfn.Config) { c.MaxBodyBytes = 4096 })
	echo := flexfn.PrepareStudioFunction(func(_ context.Context, e flexfn.Event) (any, error) { return e, nil })
	app.Handle("/untyped", echo)
	app.Handle("/typed", flexfn.PrepareStudioFunction(func(_ context.Context, in struct {
		Name string `json:"name" purpose:"who it is about"`
	}) (any, error) {
		return in, nil
	}))
	app.Handle("/refuses", flexfn.PrepareStudioFunction(func(context.Context, flexfn.Event) (any, error) {
		return nil, flexfn.Errorf(http.StatusConflict, "not today")
	}))
	for _, body := range []any{
		[]any{}, []any{map[string]any{"specversion": "1.0", "id": "EZ1"}}, "text", 7, nil,
		strings.Repeat("[", 200) + strings.Repeat("]", 200), "{", strings.Repeat("x", 5000),
	} {
		for _, path := range []string{"/untyped", "/typed", "/untyped?a=b"} {
			if got := app.CallStudioJSON(path, body); got.Status != http.StatusInternalServerError {
				t.Errorf("%s: %v: answered %d %s", path, body, got.Status, got.Body)
			}
		}
	}
	app.CallStudioJSON("/untyped", []any{}).Refused(500, "cannot read what Twilio sent: The request body is JSON but not an object")
	app.CallStudio("/refuses", nil).Refused(409, "not today")

	// An unsigned request is answered 403, however long its body.
	r := httptest.NewRequest(http.MethodPost, "/untyped", strings.NewReader(strings.Repeat("x", 5000)))
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	if w.Code != http.StatusForbidden {
		t.Errorf("a stranger's long body: %d", w.Code)
	}
}
