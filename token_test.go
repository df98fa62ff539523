package flexfn

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestVerdictAge: a verdict's age is the larger of the two clocks' readings. The
// wall clock can be set back, and the monotonic clock stops in a freeze.
func TestVerdictAge(t *testing.T) {
	now := time.Now()
	for name, v := range map[string]tokenVerdict{
		"set back by an hour": {asked: now.Add(-time.Minute), askedByWall: now.Round(0).Add(time.Hour)},
		"frozen for a minute": {asked: now, askedByWall: now.Round(0).Add(-time.Minute)},
		"neither":             {asked: now.Add(-time.Minute), askedByWall: now.Round(0).Add(-time.Minute)},
	} {
		if age := v.age(); age < time.Minute || age > 2*time.Minute {
			t.Errorf("%s: %s", name, age)
		}
	}
}

func TestGuest(t *testing.T) {
	for _, c := range []struct {
		owner Owner
		want  bool
	}{
		{Owner{}, true},
		{Owner{Roles: []string{"agent"}}, true},
		{Owner{WorkerSID: "WK1", Roles: []string{"agent"}}, false},
		{Owner{WorkerSID: "WK1", Roles: []string{"guest"}}, true},
	} {
		if got := c.owner.Guest(); got != c.want {
			t.Errorf("%+v is a guest: %t", c.owner, got)
		}
	}
}

func TestPossibleToken(t *testing.T) {
	valid := regexp.MustCompile(`^[a-zA-Z0-9._~+/=-]$`)
	for c := range 256 {
		if s := string([]byte{byte(c)}); possibleToken(s) != valid.MatchString(s) {
			t.Errorf("%q may be in a token: %t", s, possibleToken(s))
		}
	}
}

func TestRefusalTextBounds(t *testing.T) {
	const general = "Unauthorized: the Flex token is not valid"
	token := strings.Repeat("t", minTokenBytes)
	for message, want := range map[string]string{
		strings.Repeat("x", maxRefusalBytes):   strings.Repeat("x", maxRefusalBytes),
		strings.Repeat("x", maxRefusalBytes+1): general,
		"the token " + token + " is bad":       general,
		"the token is bad":                     "the token is bad",
		"":                                     general,
	} {
		raw, _ := json.Marshal(message)
		if got := refusalText(raw, token); got != want {
			t.Errorf("%s: %s", message, got)
		}
	}
	if got := refusalText(json.RawMessage(`"ttt"`), "t"); got != "ttt" {
		t.Errorf("a short token hides %s", got)
	}
}

func TestNotAsked(t *testing.T) {
	if err := notAsked("x", errors.New("the cause")); !strings.Contains(err.Error(), "the cause") {
		t.Errorf("%v", err)
	}
	if err := notAsked("x", nil); err.Error() != "503 x; try again" {
		t.Errorf("%v", err)
	}
}

// asker returns a validator whose Twilio answers with answer.
func asker(t *testing.T, answer func() string) *tokenValidator {
	t.Helper()
	return newTokenValidator(testApp(t, func(c *Config) {
		c.Transport = heedless(func(r *http.Request) (*http.Response, error) {
			res, _ := reply("iam.twilio.com", 200, answer())
			return res, nil
		})
	}))
}

func TestExpirationOfAToken(t *testing.T) {
	for answer, want := range map[string]time.Duration{
		`{"valid":true}`:                                     time.Minute,
		`{"valid":true,"expiration":null}`:                   time.Minute,
		`{"valid":true,"expiration":"x"}`:                    time.Minute,
		`{"valid":true,"expiration":"2001-01-01T00:00:00Z"}`: shortestTTL,
		`{"valid":true,"expiration":"2999-01-01T00:00:00Z"}`: time.Minute,
	} {
		v, err := asker(t, func() string { return answer }).askOnce(t.Context(), "token")
		if err != nil || v.ttl != want {
			t.Errorf("%s is trusted for %s, %v", answer, v.ttl, err)
		}
	}
}

// TestQuestions: waiters join and leave a question.
func TestQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var answer atomic.Value
		answer.Store(`{"valid":true,"worker_sid":"WK1"}`)
		tokens := asker(t, func() string { <-release; return answer.Load().(string) })
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := tokens.verdict(canceled, "a"); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller who left: %v", err)
		}
		late, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := tokens.verdict(late, "b"); err == nil || err.(*Error).Status != http.StatusServiceUnavailable {
			t.Errorf("a caller out of time: %v", err)
		}
		if len(tokens.asking) != 0 {
			t.Errorf("%d questions without waiters can still be joined", len(tokens.asking))
		}

		// A renewal goes on when the waiters who joined it leave.
		key := tokenKey{1}
		tokens.renew(key, "c")
		q := tokens.join(t.Context(), key, "c", true)
		tokens.join(t.Context(), key, "c", true)
		tokens.leave(key, q)
		if tokens.asking[key] != q {
			t.Error("a renewal was given up while a waiter was left")
		}
		close(release)
		<-q.done
		if q.err != nil || q.verdict.owner == nil {
			t.Errorf("%+v, %v", q.verdict, q.err)
		}

		// After a failure it is due again an eighth of the time later.
		answer.Store("nonsense")
		old := newVerdict(&Owner{WorkerSID: "WK1"}, "", time.Minute)
		tokens.cache.set(key, old)
		tokens.renew(key, "c")
		synctest.Wait()
		time.Sleep(time.Minute)
		if v, ok := tokens.cache.get(key); !ok || v.renew != old.renew+old.ttl/8 {
			t.Errorf("due again at the age of %s, after %s", v.renew, old.renew)
		}
	})
}
