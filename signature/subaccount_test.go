package signature

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/flexfn/flexfn/internal/form"
	"github.com/flexfn/flexfn/internal/jsonshape"
	"github.com/flexfn/flexfn/internal/testing/blind"
)

// TestSubaccountsSignForThemselves: an account's own signature is valid only
// for requests that name that account, however and wherever they name it.
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
	var escapedName string
	for _, letter := range accountParameter {
		escapedName += fmt.Sprintf(`\u%04x`, letter)
	}
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
		"equal names in JSON":       {"", jsonType, `{"AccountSid":"` + other + `","AccountSid":"` + own + `"}`, ""},
		"one of them empty":         {"", jsonType, `{"AccountSid":"` + other + `","AccountSid":""}`, other},
		"escaped":                   {"Account%53id=" + own, form.MediaType, "AccountSid=" + other, ""},
		"escaped alone":             {"Account%53id=" + own, "", "", own},
		"no account":                {"AccountSid=AC..", "", "", ""},
		"not a string":              {"", jsonType, `{"AccountSid":["` + own + `"]}`, ""},
		"JSON of another type":      {"AccountSid=" + own, "text/plain", `{"AccountSid":"` + other + `"}`, own},
		"JSON with byte order mark": {"AccountSid=" + own, jsonType, "\xef\xbb\xbf" + `{"AccountSid":"` + other + `"}`, ""},
		"JSON with other members":   {"", jsonType, `{"a":1,"b":null,"AccountSid":"` + own + `","c":{"AccountSid":"` + other + `"}}`, own},
		"escaped in JSON":           {"", jsonType, `{"Account\u0053id":"` + own + `"}`, own},
		"all escaped in JSON":       {"AccountSid=" + own, jsonType, `{"` + escapedName + `":"` + other + `"}`, ""},
		// Nothing reads parameters from these.
		"JSON without a body": {"AccountSid=" + own, jsonType, "", own},
		"JSON of a list":      {"AccountSid=" + own, jsonType, `[{"AccountSid":"` + other + `"}]`, own},
		"JSON that is cut":    {"AccountSid=" + own, jsonType, `{"AccountSid":"` + other + `"`, own},
		"JSON of many keys":   {"AccountSid=" + own, jsonType, `{"AccountSid":"` + other + `"` + strings.Repeat(`,"a":1`, jsonshape.MaxKeys) + `}`, own},
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

// TestPublicURLIsTheOnlyCandidate: with a public URL, headers do not decide
// scheme or host.
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

// TestNumberSignIsRefused: a # in a request line ends the URL that is signed
// but not the query that a server reads, so a request with one is refused.
func TestNumberSignIsRefused(t *testing.T) {
	v, err := New(Config{AuthTokens: []string{"token"}, PublicURL: "https://example.com"})
	if err != nil {
		t.Fatal(err)
	}
	body := []byte("{}")
	hashed := AddBodyHash("/x", body)
	for _, target := range []string{hashed, hashed + "#", hashed + "#&AccountSid=AC1", "/x#" + strings.TrimPrefix(hashed, "/x")} {
		raw := "POST " + target + " HTTP/1.1\r\nHost: example.com\r\nContent-Type: application/json\r\n\r\n"
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
		if err != nil {
			t.Fatal(err)
		}
		mac := hmac.New(sha1.New, []byte("token"))
		mac.Write([]byte("https://example.com" + target))
		r.Header.Set(Header, base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		if _, err := v.Verify(t.Context(), r, body); (err == nil) != (target == hashed) {
			t.Errorf("%s: %v", target, err)
		}
	}
}

// FuzzAccount signs arbitrary requests as a sub-account. A request may be
// accepted only if every account that it names is that one. With a SharedKey,
// the settings must name the key and the algorithm.
func FuzzAccount(f *testing.F) {
	const mainToken, ownToken, secret = "maintoken", "owntoken", "shared-secret"
	mainSID, own, other := "AC"+strings.Repeat("0", 32), "AC"+strings.Repeat("a", 32), "AC"+strings.Repeat("b", 32)
	for _, query := range []string{"", "AccountSid=" + own, "Account%53id=" + other, "accountsid=" + own + "&AccountSid=" + own, "AccountSid="} {
		for _, body := range []string{"", "AccountSid=" + own, "AccountSid=" + own + "&accountsid=" + other} {
			f.Add(query, false, []byte(body), "")
		}
		for _, body := range []string{"{}", `{"AccountSid":"` + own + `"}`, `{"AccountSid":"` + own + `","AccountSid":"` + other + `"}`, `{"Account\u0053id":null}`, "\xef\xbb\xbf" + `{"accountſid":"` + other + `"}`} {
			f.Add(query, true, []byte(body), "key=k,algorithm=HMAC_SHA256")
		}
	}
	v, err := New(Config{
		AccountSID: mainSID, AuthTokens: []string{mainToken}, PublicURL: "https://example.com", SharedKeys: map[string]string{own + "/k": secret},
		SubaccountAuthTokens: func(_ context.Context, sid string) ([]string, error) {
			if sid == own {
				return []string{ownToken}, nil
			}
			return nil, nil
		},
	})
	if err != nil {
		f.Fatal(err)
	}
	blind.Fuzz(f, func(t *testing.T, query string, isJSON bool, body []byte, settings string) {
		contentType, target := form.MediaType, "/x?"+query
		if isJSON {
			contentType, target = "application/json", AddBodyHash("/x?"+query, body)
		}
		_, sent, _ := strings.Cut(target, "?") // as a server reads it
		signer := own
		for _, token := range []string{ownToken, secret, mainToken} {
			r := &http.Request{Method: "POST", Host: "example.com", URL: &url.URL{Path: "/x", RawQuery: sent}, RequestURI: target, Header: http.Header{"Content-Type": {contentType}}}
			text := "https://example.com" + target
			if !isJSON {
				text += string(signedForm(string(body)))
			}
			algorithm := sha1.New
			switch token {
			case secret:
				algorithm = sha256.New
				r.Header[SettingsHeader] = []string{settings}
			case mainToken:
				signer = mainSID
			}
			mac := hmac.New(algorithm, []byte(token))
			mac.Write([]byte(text))
			r.Header[Header] = []string{base64.StdEncoding.EncodeToString(mac.Sum(nil))}
			proof, err := v.Verify(context.Background(), r, body)
			if err != nil {
				continue
			}
			if proof.AccountSID != signer {
				t.Fatalf("signed by %s, passes for %s", signer, proof.AccountSID)
			}
			if token == secret && (!strings.Contains(settings, "k") || !strings.Contains(settings, "HMAC_SHA256")) {
				t.Fatalf("a SharedKey is accepted with the settings %q", settings)
			}
			for _, named := range accountsIn(sent, isJSON, body) {
				if named != signer {
					t.Fatalf("signed by %s, names %q", signer, named)
				}
			}
		}
	})
}

// accountsIn finds the accounts that a request names, with the standard library.
func accountsIn(query string, isJSON bool, body []byte) (list []string) {
	pairs := []string{query}
	if !isJSON {
		pairs = append(pairs, string(body))
	}
	for _, text := range pairs {
		values, _ := url.ParseQuery(text)
		for name, named := range values {
			if strings.EqualFold(name, "AccountSid") {
				list = append(list, named...)
			}
		}
	}
	if body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")); isJSON && json.Valid(body) {
		d := json.NewDecoder(bytes.NewReader(body))
		begin, _ := d.Token()
		for begin == json.Delim('{') && d.More() {
			name, _ := d.Token()
			var value any
			_ = d.Decode(&value)
			if strings.EqualFold(name.(string), "AccountSid") && value != nil {
				list = append(list, fmt.Sprint(value))
			}
		}
	}
	return slices.DeleteFunc(list, func(s string) bool { return s == "" })
}
