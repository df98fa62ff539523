package signature

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/flexfn/flexfn/internal/form"
)

// The handler sees what a signature proves: an account's own signature is only
// valid for requests that name that account, however and wherever they name it.
func TestSubaccountsSignForThemselves(t *testing.T) {
	const mainToken, ownToken, otherToken = "maintoken", "owntoken", "othertoken"
	mainSID, own, other := "AC"+strings.Repeat("0", 32), "AC"+strings.Repeat("a", 32), "AC"+strings.Repeat("b", 32)
	type ctxKey struct{}
	v, err := New(Config{
		AccountSID: mainSID, AuthTokens: []string{mainToken}, PublicURL: "https://example.com",
		SubaccountAuthTokens: func(ctx context.Context, sid string) ([]string, error) {
			if ctx.Value(ctxKey{}) == nil {
				t.Error("the lookup did not get the ctx of the call")
			}
			return map[string][]string{own: {ownToken}, other: {otherToken}}[sid], nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	const jsonType = "application/json"
	for name, c := range map[string]struct{ query, contentType, body, signer string }{
		"form":                      {"", form.MediaType, "AccountSid=" + own, own},
		"query":                     {"AccountSid=" + own, "", "", own},
		"JSON":                      {"", jsonType, `{"AccountSid":"` + own + `"}`, own},
		"both agree":                {"AccountSid=" + own, form.MediaType, "AccountSid=" + own + "&AccountSid=" + own, own},
		"none":                      {"", form.MediaType, "a=1", mainSID},
		"empty":                     {"AccountSid=", form.MediaType, "AccountSid=", mainSID},
		"main":                      {"", form.MediaType, "AccountSid=" + mainSID, mainSID},
		"query and form differ":     {"AccountSid=" + own, form.MediaType, "AccountSid=" + other, ""},
		"query and JSON differ":     {"AccountSid=" + own, jsonType, `{"AccountSid":"` + other + `"}`, ""},
		"main in JSON":              {"AccountSid=" + own, jsonType, `{"AccountSid":"` + mainSID + `"}`, ""},
		"twice":                     {"", form.MediaType, "AccountSid=" + own + "&AccountSid=" + other, ""},
		"other case":                {"accountsid=" + own, form.MediaType, "AccountSid=" + other, ""},
		"other case in JSON":        {"", jsonType, `{"AccountSid":"` + own + `","accountsid":"` + other + `"}`, ""},
		"escaped":                   {"Account%53id=" + own, form.MediaType, "AccountSid=" + other, ""},
		"escaped alone":             {"Account%53id=" + own, "", "", own},
		"no account":                {"AccountSid=AC..", "", "", ""},
		"not a string":              {"", jsonType, `{"AccountSid":["` + own + `"]}`, ""},
		"JSON of another type":      {"AccountSid=" + own, "text/plain", `{"AccountSid":"` + other + `"}`, own},
		"JSON with byte order mark": {"AccountSid=" + own, jsonType, "\xef\xbb\xbf" + `{"AccountSid":"` + other + `"}`, ""},
	} {
		url := "https://example.com/x"
		if c.query != "" {
			url += "?" + c.query
		}
		if c.body != "" && c.contentType != form.MediaType {
			url = AddBodyHash(url, []byte(c.body))
		}
		for token, account := range map[string]string{mainToken: mainSID, ownToken: own, otherToken: other} {
			r := httptest.NewRequest("POST", url, nil)
			r.Header.Set("Content-Type", c.contentType)
			r.Header.Set(Header, Sign(token, url, c.contentType, []byte(c.body)))
			proof, err := v.Verify(context.WithValue(t.Context(), ctxKey{}, true), r, []byte(c.body))
			switch {
			case account == c.signer && (err != nil || proof.AccountSID != account):
				t.Errorf("%s: signed by %s: %q, %v", name, account, proof.AccountSID, err)
			case account != c.signer && err == nil:
				t.Errorf("%s: signed by %s, which passes for %s", name, account, proof.AccountSID)
			}
		}
	}
}

// With a public URL, no header decides scheme or host.
func TestPublicURLIsTheOnlyCandidate(t *testing.T) {
	v, err := New(Config{AuthTokens: []string{"token"}, PublicURL: "https://example.com", ProxyTrust: TrustXForwardedFromAnyone()})
	if err != nil {
		t.Fatal(err)
	}
	for url, ok := range map[string]bool{"https://example.com/x": true, "https://other.example/x": false} {
		r := httptest.NewRequest("GET", "http://other.example/x", nil)
		r.Header.Set("X-Forwarded-Host", "other.example")
		r.Header.Set("X-Forwarded-Proto", "https")
		r.Header.Set(Header, Sign("token", url, "", nil))
		if _, err := v.Verify(t.Context(), r, nil); (err == nil) != ok {
			t.Errorf("signed for %s: %v", url, err)
		}
	}
}
