package flexfn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/flexfn/flexfn/internal/link"
)

// letterBox stands for the part of a function that keeps dead letters.
type letterBox struct {
	reads bool // the body
	done  []string
	err   error
}

func (b *letterBox) ReadsBody() bool { return b.reads }

func (b *letterBox) applyStudio(*Function) {}
func (b *letterBox) Define() (any, error)  { return b, nil }
func (b *letterBox) Letters(context.Context) ([]link.Letter, error) {
	return []link.Letter{{ID: "l1"}}, b.err
}
func (b *letterBox) Replay(_ context.Context, id string) error {
	b.done = append(b.done, "replay "+id)
	return b.err
}
func (b *letterBox) Delete(_ context.Context, id string) error {
	b.done = append(b.done, "delete "+id)
	return b.err
}

// TestEventsOfTheDevServer: the dev server reads the deliveries and the dead
// letters, and replays and deletes a letter.
func TestEventsOfTheDevServer(t *testing.T) {
	key := strings.Repeat("k", shortestDevKey)
	config := testConfig()
	if err := config.setDevKey(key); err != nil {
		t.Fatal(err)
	}
	app := testApp(t, func(c *Config) { *c = config })
	ask := func(method, path string) (int, string) {
		r := httptest.NewRequest(method, link.EventsPath+path, nil)
		r.Header.Set(link.KeyHeader, key)
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	ledger := func() (l link.Ledger) {
		t.Helper()
		status, body := ask("GET", "")
		if err := json.Unmarshal([]byte(body), &l); err != nil || status != 200 || l.Letters == nil || l.Deliveries == nil {
			t.Fatalf("%d %s", status, body)
		}
		return l
	}
	if l := ledger(); len(l.Letters)+len(l.Deliveries) != 0 || l.Error != "" {
		t.Errorf("before all: %+v", l)
	}
	if status, _ := ask("POST", "/l1"); status != http.StatusNotFound {
		t.Errorf("without events: %d", status)
	}
	for i := range link.MaxDeliveries + 2 {
		app.deliveries.add(link.Delivery{Listener: fmt.Sprint(i)})
	}
	box := new(letterBox)
	app.Handle("/events", PrepareStudioFunction(func(context.Context, Event) (any, error) { return nil, nil }, box))
	if l := ledger(); len(l.Letters) != 1 || l.Letters[0].ID != "l1" || l.Error != "" || len(l.Deliveries) != link.MaxDeliveries ||
		l.Deliveries[0].Listener != fmt.Sprint(link.MaxDeliveries+1) || l.Deliveries[link.MaxDeliveries-1].Listener != "2" {
		t.Errorf("%d letters, %d deliveries from %+v", len(l.Letters), len(l.Deliveries), l.Deliveries[0])
	}
	for _, c := range []struct {
		method, path string
		status       int
	}{{"POST", "/l1", 200}, {"DELETE", "/l2", 200}, {"PUT", "/l3", 405}, {"GET", "/l4", 405}} {
		if status, body := ask(c.method, c.path); status != c.status || strings.Contains(body, `"success":true`) != (status == 200) {
			t.Errorf("%s %s: %d %s", c.method, c.path, status, body)
		}
	}
	if want := []string{"replay l1", "delete l2"}; !slices.Equal(box.done, want) {
		t.Errorf("did %q, want %q", box.done, want)
	}
	box.err = errors.New("it is gone")
	if status, body := ask("POST", "/l1"); status != http.StatusConflict || !strings.Contains(body, "it is gone") {
		t.Errorf("a replay that fails: %d %s", status, body)
	}
	if l := ledger(); l.Error != "it is gone" || len(l.Letters) != 1 {
		t.Errorf("letters that cannot be read: %+v", l)
	}
}

// TestPartsTakeAnyBody: a function that takes batches reads the body itself, so
// a body without parameters is not an error. To other functions of package
// events it is, so that nothing unread is acknowledged.
func TestPartsTakeAnyBody(t *testing.T) {
	var got Event
	for _, c := range []struct {
		reads  bool
		status int
	}{{true, 200}, {false, 400}} {
		post := studioApp(t, "/events", PrepareStudioFunction(func(_ context.Context, e Event) (any, error) {
			got = e
			return nil, nil
		}, OpenToAnyone(), &letterBox{reads: c.reads}))
		if w := post("a=1"); w.Code != 200 || got.String("a") != "1" {
			t.Errorf("%d, %v", w.Code, got)
		}
		got = nil
		if w := post(`[{"a":`, "Content-Type", "application/json"); w.Code != c.status || len(got) != 0 {
			t.Errorf("%d %s, %v", w.Code, w.Body, got)
		}
	}
}
