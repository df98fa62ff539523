package signature

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

func TestSharedKey(t *testing.T) {
	const token, url, body = "12345", "https://functions.example.com/studio/x?a=1", "From=%2B15005550006&Body=hi"
	account, other := "AC"+strings.Repeat("a", 32), "AC"+strings.Repeat("b", 32)
	v, err := New(Config{
		AccountSID: account, AuthTokens: []string{token}, PublicURL: "https://functions.example.com",
		SharedKeys: map[string]string{"one": "s1", "two": "s2", "team/three": "s3", other: "s4"},
	})
	if err != nil {
		t.Fatal(err)
	}
	sha256Of := func(secret string) string {
		h := hmac.New(sha256.New, []byte(secret))
		h.Write([]byte(url + "BodyhiFrom+15005550006"))
		return base64.StdEncoding.EncodeToString(h.Sum(nil))
	}
	const formType = "application/x-www-form-urlencoded"
	sha1 := Sign(token, url, formType, []byte(body))
	for _, c := range []struct {
		name      string
		settings  []string
		signature string
		refused   string // by an error that contains this
	}{
		{"shared key", []string{"key=one,algorithm=HMAC_SHA256"}, sha256Of("s1"), ""},
		{"other key", []string{"algorithm=HMAC_SHA256, key=two"}, sha256Of("s2"), ""},
		{"slash in the id", []string{"key=team/three,algorithm=HMAC_SHA256"}, sha256Of("s3"), ""},
		{"SID as the id", []string{"key=" + other + ",algorithm=HMAC_SHA256"}, sha256Of("s4"), ""},
		{"no header", nil, sha1, ""},
		{"no algorithm", []string{"key=one"}, sha1, ""},
		{"SHA-1 by name", []string{"algorithm=HMAC_SHA1"}, sha1, ""},
		{"another's secret", []string{"key=one,algorithm=HMAC_SHA256"}, sha256Of("s2"), "not Twilio's"},
		{"the auth token as secret", []string{"key=one,algorithm=HMAC_SHA256"}, sha256Of(token), "not Twilio's"},
		{"SHA-1 instead of SHA-256", []string{"key=one,algorithm=HMAC_SHA256"}, sha1, "28 characters"},
		{"SHA-256 instead of SHA-1", nil, sha256Of("s1"), "44 characters"},
		{"unknown key", []string{"key=three,algorithm=HMAC_SHA256"}, sha256Of("s1"), `"three", whose secret is not known: add it as "…"`},
		{"no key", []string{"algorithm=HMAC_SHA256"}, sha256Of(""), "FLEXFN_SHARED_KEYS"},
		{"unknown algorithm", []string{"key=one,algorithm=HMAC_SHA512"}, sha256Of("s1"), `"HMAC_SHA512"`},
		{"empty algorithm", []string{"key=one,algorithm="}, sha1, "algorithm"},
		{"two algorithms", []string{"algorithm=HMAC_SHA1,algorithm=HMAC_SHA256"}, sha1, "twice"},
		{"two headers", []string{"algorithm=HMAC_SHA1", "key=one"}, sha1, "2 times"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/studio/x?a=1", nil)
			r.Header.Set("Content-Type", formType)
			r.Header.Set(Header, c.signature)
			r.Header[SettingsHeader] = c.settings
			proof, err := v.Verify(t.Context(), r, []byte(body))
			switch {
			case c.refused == "" && (err != nil || proof.AccountSID != account):
				t.Errorf("refused: %v", err)
			case c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused)):
				t.Errorf("the error %v does not say %q", err, c.refused)
			}
		})
	}
	if _, err := New(Config{AccountSID: account, AuthTokens: []string{token}, SharedKeys: map[string]string{"one": ""}}); err == nil {
		t.Error("an empty secret is accepted")
	}
}

// TestSharedKeyVectors verifies requests that Twilio's own library signed.
func TestSharedKeyVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/sharedkeys.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		AccountSid, AuthToken string
		SharedKeys            map[string]struct{ Account, Secret string }
		Vectors               []struct{ ID, Method, URL, Settings, ContentType, Body, Signature, Account, Expected string }
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) < 20 {
		t.Fatalf("only %d vectors", len(file.Vectors))
	}
	config := Config{
		AccountSID: file.AccountSid, AuthTokens: []string{file.AuthToken},
		PublicURL: "https://functions.example.com", SharedKeys: map[string]string{},
	}
	for id, key := range file.SharedKeys {
		if key.Account != file.AccountSid {
			id = key.Account + "/" + id
		}
		config.SharedKeys[id] = key.Secret
	}
	alone, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	config.SubaccountAuthTokens = func(context.Context, string) ([]string, error) { return nil, nil }
	withSubaccounts, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	for _, vector := range file.Vectors {
		for name, v := range map[string]*Verifier{"alone": alone, "with sub-accounts' tokens": withSubaccounts} {
			r := httptest.NewRequest(vector.Method, vector.URL, nil)
			r.Header.Set(Header, vector.Signature)
			for header, value := range map[string]string{"Content-Type": vector.ContentType, SettingsHeader: vector.Settings} {
				if value != "" {
					r.Header.Set(header, value)
				}
			}
			proof, err := v.Verify(t.Context(), r, []byte(vector.Body))
			if (err == nil) != (vector.Expected == "accept") || err == nil && proof.AccountSID != vector.Account {
				t.Errorf("%s, %s: %+v, %v, want %s", vector.ID, name, proof, err, vector.Expected)
			}
		}
	}
}

func TestApostrophesInTheQuery(t *testing.T) {
	const token, base = "12345", "https://functions.example.com/x?name="
	for _, c := range []struct {
		signed, sent string
		want         bool
	}{
		{"O'Neil", "O'Neil", true},
		{"O'Neil", "O%27Neil", true},
		{"O%27Neil", "O'Neil", true},
		{"O%27Neil", "O%2527Neil", false},
		{"O'Neil", "ONeil", false},
	} {
		s := Sign(token, base+c.signed, "", nil)
		if got := Valid(token, s, base+c.sent, "", nil); got != c.want {
			t.Errorf("signed %s, sent %s: Valid is %t", c.signed, c.sent, got)
		}
		v, err := New(Config{AuthTokens: []string{token}, PublicURL: "https://functions.example.com"})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodGet, "/x?name="+c.sent, nil)
		r.Header.Set(Header, s)
		if _, err := v.Verify(t.Context(), r, nil); (err == nil) != c.want {
			t.Errorf("signed %s, sent %s: Verify says %v", c.signed, c.sent, err)
		}
	}
}
