package mask

import (
	"regexp/syntax"
	"testing"
)

func TestPhoneNumbers(t *testing.T) {
	for s, want := range map[string]string{
		"+15550001111":                          "(number)",
		"call +1 (555) 000-1111 now":            "call (number) now",
		"(555) 000-1111":                        "(number)",
		"555-000-1111, 555.000.1111":            "(number), (number)",
		"+49.30.1234567":                        "(number)",
		"(12)34 56":                             "(number)",
		"/v2/PhoneNumbers/%2B15550001111":       "/v2/PhoneNumbers/(number)",
		"/v2/PhoneNumbers/%28555%29%20000-1111": "/v2/PhoneNumbers/(number)",
		"15550001111":                           "(number)",
		"0049 30 901820, 00 44 20 7946 0000":    "(number), (number)",
		"+1\u00a0555\u00a0000\u20111111":        "(number)",
		"555\u2011000\u20131111":                "(number)",
		"00:00:00 took 00.5 s, code 00000001":   "00:00:00 took 00.5 s, code 00000001",
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

// TestPatternIsShort: regexp uses its slow engine for a longer one.
func TestPatternIsShort(t *testing.T) {
	parsed, err := syntax.Parse(phoneNumbers().String(), syntax.Perl)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := syntax.Compile(parsed.Simplify()); err != nil || len(p.Inst) > 500 {
		t.Errorf("the pattern has %d instructions: %v", len(p.Inst), err)
	}
}

// BenchmarkPhoneNumbers masks a message without digits, and one with a SID.
func BenchmarkPhoneNumbers(b *testing.B) {
	for name, text := range map[string]string{
		"plain": "the handler took longer than its deadline",
		"sid":   "Twilio answered 404 to GET /v1/Workspaces/WS00000000000000000000000000000001/Tasks/{Sid}",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				PhoneNumbers(text)
			}
		})
	}
}

func TestSecret(t *testing.T) {
	const secret = `ey.SECRET+/="<q`
	for _, s := range append(NewSecret(secret), "a "+secret+" b") {
		if got := NewSecret(secret).Replace(s, "(token)"); got != "(token)" && got != "a (token) b" {
			t.Errorf("%q became %q", s, got)
		}
	}
	if got := NewSecret("x").Replace("/index/x", "(token)"); got != "/index/x" {
		t.Errorf("a short token mangles %q", got)
	}
}

func TestKey(t *testing.T) {
	for _, name := range []string{"Token", "auth_token", "AuthToken", "API-Key", "SipAuthPassword", "access_token", "CallToken"} {
		if !Key(name) {
			t.Errorf("%s is not a secret", name)
		}
	}
	for _, name := range []string{"to", "tokens", "PageToken", "friendly_name"} {
		if Key(name) {
			t.Errorf("%s is a secret", name)
		}
	}
}

func TestHeader(t *testing.T) {
	for _, name := range []string{"Authorization", "Proxy-Authorization", "Set-Cookie", "X-Auth-Token", "Api-Key", "X-Twilio-Signature", "X-Client-Secret"} {
		if !Header(name) {
			t.Errorf("%s is shown", name)
		}
	}
	for _, name := range []string{"Referer", "Content-Type", "I-Twilio-Idempotency-Token", "Idempotency-Key", "User-Agent"} {
		if Header(name) {
			t.Errorf("%s is hidden", name)
		}
	}
}

func TestText(t *testing.T) {
	for text, want := range map[string]string{
		"https://flex.example/?Token=abc.def&q=1#x": "https://flex.example/?Token=***&q=1#x",
		"token: abc def":                                   "token: *** def",
		"AUTH_TOKEN=abc\nPORT=1":                           "AUTH_TOKEN=***\nPORT=1",
		`{"token":"a\"b","n":"1"`:                          `{"token":"***","n":"1"`,
		`{"tokens":["a"],"token":["a","b"],"n":1}`:         `{"tokens":["a"],"token":***,"n":1}`,
		`{"password":"cut off`:                             `{"password":"***"`,
		"Authorization: Bearer ey.abc":                     "Authorization: ***",
		"token[0]=a&token%5B%5D=b&to=c":                    "token[0]=***&token%5B%5D=***&to=c",
		"the token is expired; tokenize=yes, page_token=3": "the token is expired; tokenize=yes, page_token=3",
		"": "",
	} {
		if got := Text(text, "***"); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}
