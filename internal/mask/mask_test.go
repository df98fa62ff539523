package mask

import "testing"

func TestPhoneNumbers(t *testing.T) {
	for s, want := range map[string]string{
		"+15550001111":                          "(number)",
		"call +1 (555) 000-1111 now":            "call (number) now",
		"(555) 000-1111":                        "(number)",
		"555-000-1111, 555.000.1111":            "(number), (number)",
		"+49.30.1234567":                        "(number)",
		"/v2/PhoneNumbers/%2B15550001111":       "/v2/PhoneNumbers/(number)",
		"/v2/PhoneNumbers/%28555%29%20000-1111": "/v2/PhoneNumbers/(number)",
		"15550001111":                           "(number)",
		"2026-11-28T17:33:40Z":                  "2026-11-28T17:33:40Z",
		"127.0.0.1:8080":                        "127.0.0.1:8080",
		"192.168.100.200":                       "192.168.100.200",
		"WT00000000000000000000000000000001":    "WT00000000000000000000000000000001",
		"took 123.456789ms, 6291456 bytes":      "took 123.456789ms, 6291456 bytes",
		"error 20404 at /2010-04-01/Accounts":   "error 20404 at /2010-04-01/Accounts",
	} {
		if got := PhoneNumbers(s); got != want {
			t.Errorf("%q became %q, want %q", s, got, want)
		}
	}
}

func TestSecret(t *testing.T) {
	const secret = `ey.SECRET+/="<q`
	for _, s := range append(Written(secret), "a "+secret+" b") {
		if got := Secret(s, secret, "(token)"); got != "(token)" && got != "a (token) b" {
			t.Errorf("%q became %q", s, got)
		}
	}
	if got := Secret("/index/x", "x", "(token)"); got != "/index/x" {
		t.Errorf("a short token mangles %q", got)
	}
}

func TestKey(t *testing.T) {
	for _, name := range []string{"Token", "auth_token", "AuthToken", "API-Key", "SipAuthPassword", "access_token", "CallToken"} {
		if !Key(name) {
			t.Errorf("%s is no secret", name)
		}
	}
	for _, name := range []string{"to", "tokens", "PageToken", "friendly_name"} {
		if Key(name) {
			t.Errorf("%s is a secret", name)
		}
	}
}
