package events

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/flexfn/flexfn/internal/twilioevent"
)

// TestSamples reads what "flexfn trigger" sends. Each sample is the event that
// it is named after, by callback and by Event Streams, and has a distinct key.
func TestSamples(t *testing.T) {
	story := twilioevent.Story{Account: "AC1", Workspace: "WS1", Time: time.Now(), ID: strings.Repeat("0af1", 8)}
	for source, types := range twilioevent.Types {
		s := sources[string(source)]
		keys := map[string]bool{}
		for n, name := range types {
			sample := story.Sample(name, n)
			form := map[string]any{}
			for k, v := range sample {
				form[k] = v
			}
			var e Event
			switch {
			case source == twilioevent.Stream || source == twilioevent.TaskRouter:
				text, err := json.Marshal(story.CloudEvent(name, n, sample))
				var ce cloudEvent
				if err != nil || json.Unmarshal(text, &ce) != nil {
					t.Fatal(err)
				}
				if e = streamEvent(ce); source == twilioevent.TaskRouter {
					if other := s.event(formFields(form), "token"); other.Key != e.Key || other.Type != e.Type || other.Time.UnixMilli() != e.Time.UnixMilli() {
						t.Errorf("%s is %q %q of %s by Event Streams, and %q %q of %s by callback", name, e.Type, e.Key, e.Time, other.Type, other.Key, other.Time)
					}
				}
			case s == nil:
				continue // no event
			default:
				e = s.event(formFields(form), "")
			}
			if e.Type != name || e.Key == "" || keys[e.Key] {
				t.Errorf("the sample of %s is %q with the key %q", name, e.Type, e.Key)
			}
			keys[e.Key] = true
		}
	}
}

// TestStrangersHaveKeys: events without any known field are not mistaken for
// one another.
func TestStrangersHaveKeys(t *testing.T) {
	for name, s := range sources {
		if s.batch {
			continue
		}
		one, two := s.event(formFields(map[string]any{"New": "1"}), ""), s.event(formFields(map[string]any{"New": "2"}), "")
		if one.Key == two.Key || one.Key != s.event(formFields(map[string]any{"New": "1"}), "").Key {
			t.Errorf("%s: the keys are %q and %q", name, one.Key, two.Key)
		}
	}
}

// TestNumbers: what is not a finite number, or not a duration that fits, is left
// out of an event.
func TestNumbers(t *testing.T) {
	for text, fits := range map[string]bool{"1.5": true, "-3": true, "NaN": false, "Inf": false, "-infinity": false, "1e400": false, "1e30": false, "x": false} {
		var number float64
		if err := set(valueOf(&number), json.RawMessage(strconv.Quote(text))); (err == nil) != (fits || text == "1e30") || err != nil && number != 0 {
			t.Errorf("the number %s: %v, %v", text, number, err)
		}
		var duration time.Duration
		if err := set(valueOf(&duration), json.RawMessage(strconv.Quote(text))); (err == nil) != fits || err != nil && duration != 0 {
			t.Errorf("the duration %s: %v, %v", text, duration, err)
		}
	}
}
