package functions_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/functions"
	"github.com/flexfn/flexfn/internal/testing/contract"
)

// TestRoutes compares paths, parameters and purposes with the recordings.
func TestRoutes(t *testing.T) {
	recorded := map[string]string{}
	for _, topic := range []string{"functions", "features"} {
		cases, err := contract.Load(topic)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			recorded[c.Function.Path] = string(c.Function.RequiredParameters)
		}
	}
	for _, r := range functions.Routes() {
		want, ok := recorded[r.Path]
		if !ok && (strings.HasPrefix(r.Path, "/admin/") || r.Path == "/check-schedule") {
			continue // of schedule-manager, which was not recorded
		}
		if !ok {
			t.Errorf("%s is not recorded", r.Path)
		}
		delete(recorded, r.Path)
		var got []string
		for _, p := range r.Function.Describe().Parameters {
			if p.Required {
				got = append(got, `{"key":"`+p.Name+`","purpose":"`+p.Purpose+`"}`)
			}
			if p.Purpose == "" && p.Doc == "" {
				t.Errorf("%s: parameter %s has no description", r.Path, p.Name)
			}
		}
		want = strings.NewReplacer("\n", "", `": "`, `":"`, `, {`, `,{`, `, "`, `,"`).Replace(want)
		// Its purpose says that it may be empty.
		want = strings.Replace(want, `{"key":"transferQueueName","purpose":"name of the queue if transfering to a queue, otherwise empty string"},`, "", 1)
		if "["+strings.Join(got, ",")+"]" != want {
			t.Errorf("%s requires %s, recorded %s", r.Path, got, want)
		}
		if r.Function.Describe().Doc == "" {
			t.Errorf("%s has no description", r.Path)
		}
	}
	for path := range recorded {
		t.Errorf("no function at %s", path)
	}
}

func TestDisabled(t *testing.T) {
	const path = "/common/flex/taskrouter/get-queues"
	app := flexfntest.New(t)
	if err := (functions.Config{Disabled: []string{path}}).Add(app.App); err != nil {
		t.Fatal(err)
	}
	if n := len(app.Routes()); n != 52 || slices.ContainsFunc(app.Routes(), func(r flexfn.Route) bool { return r.Path == path }) {
		t.Errorf("%d functions", n)
	}
	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, nil))
	if w.Code != 404 {
		t.Errorf("status %d", w.Code)
	}
	app.Handle(path, functions.GetQueues) // replaces the ready-made one

	env := map[string]string{
		"FLEXFN_DISABLED_FUNCTIONS":    path + ", taskrouter/get-queues",
		"TWILIO_FLEX_CHAT_SERVICE_SID": "IS1",
	}
	bad := flexfntest.New(t)
	err := functions.FromLookup(func(name string) (string, bool) { v, ok := env[name]; return v, ok }).Add(bad.App)
	for _, want := range []string{`FLEXFN_DISABLED_FUNCTIONS: "taskrouter/get-queues"`, `TWILIO_FLEX_CHAT_SERVICE_SID: "IS1"`} {
		if err == nil || !strings.Contains(err.Error(), want) || len(bad.Routes()) != 0 {
			t.Errorf("%v, %d functions; want %s", err, len(bad.Routes()), want)
		}
	}
}
