package mask

import (
	"strings"
	"testing"

	"github.com/flexfn/flexfn/internal/testing/blind"
)

func TestPath(t *testing.T) {
	const sid = "WT00000000000000000000000000000001"
	for _, c := range []struct{ host, path, want string }{
		{"lookups.twilio.com", "/v2/PhoneNumbers/+15550001111", "/v2/PhoneNumbers/{…}"},
		{"lookups.twilio.com", "/v2/PhoneNumbers/%28555%29%20000-1111", "/v2/PhoneNumbers/{…}"},
		{"Lookups.Twilio.com", "/v2/PhoneNumbers/5550001", "/v2/PhoneNumbers/{…}"},
		{"lookups.twilio.com", "/v2/PhoneNumbers/Ada", "/v2/PhoneNumbers/{…}"},
		{"api.twilio.com", "/2010-04-01/Accounts/AC1/Calls/CA1.json", "/2010-04-01/Accounts/{…}/Calls/{…}.json"},
		{"api.twilio.com", "/2010-04-01/Accounts/AC1/Calls.json", "/2010-04-01/Accounts/{…}/Calls.json"},
		{"api.twilio.com", "/2010-04-01/Accounts/AC1/Recordings/RE1.mp3", "/2010-04-01/Accounts/{…}/Recordings/{…}.mp3"},
		{"taskrouter.twilio.com", "/v1/Workspaces/WS1/Tasks/" + sid, "/v1/Workspaces/{…}/Tasks/{…}"},
		{"iam.twilio.com", "/v1/Accounts/AC1/Tokens/validate", "/v1/Accounts/{…}/Tokens/validate"},
		{"sync.twilio.com", "/v1/Services/default/Documents/ada@example.com", "/v1/Services/{…}/Documents/{…}"},
		{"twilio.com", "/v1/Ada/", "/v1/{…}/"},
		{"crm.example.com", "/v1.1/customers/by-mail/ada@example.com", "/v1.1/customers/by-mail/{…}"},
		{"crm.example.com", "/customers/42/orders.json", "/customers/{…}/orders.json"},
		{"crm.example.com", "/reset/abcdefghijklmnopqrstuvwxy", "/reset/{…}"},
		{"crm.example.com", "/orders/Zo%C3%AB.csv", "/orders/{…}.csv"},
		{"crm.example.com", "/v2024/version", "/{…}/version"},
		{"notwilio.com", "/customers", "/customers"},
		{"", "", ""},
	} {
		if got := Path(c.host, c.path); got != c.want {
			t.Errorf("%s%s became %s, want %s", c.host, c.path, got, c.want)
		}
	}
}

// FuzzPath checks that no segment stays which could be a number or is escaped.
func FuzzPath(f *testing.F) {
	f.Add("lookups.twilio.com", "/v2/PhoneNumbers/+15550001111")
	f.Add("crm.example.com", "/v1/customers/(555)%200001111.json")
	f.Add("API.twilio.com:443", "/2010-04-01/Accounts/AC00000000000000000000000000000001/Calls/CA1.json")
	f.Add("taskrouter.twilio.com", "/v1/Workspaces/WS1/Tasks/WT1/Reservations")
	f.Add("sync.us1.twilio.com", "//v1/../Services/default/Documents/ada@example.com/")
	f.Add("twilio.com", "/v2/555.0001.mp3/..%2f5550001")
	f.Add("", "/a/reset/abcdefghijklmnopqrstuvwxy/é/\xff/%")
	blind.Fuzz(f, func(t *testing.T, host, path string) {
		got := Path(host, path)
		if strings.Count(got, "/") != strings.Count(path, "/") {
			t.Errorf("%q became %q", path, got)
		}
		for segment := range strings.SplitSeq(got, "/") {
			if at := strings.LastIndexByte(segment, '.'); at >= 0 && extension(segment[at+1:]) {
				segment = segment[:at]
			}
			digits := strings.FieldsFunc(segment, func(r rune) bool { return r < '0' || r > '9' })
			if segment != "2010-04-01" && len(strings.Join(digits, "")) > 3 || strings.ContainsAny(segment, "+@%()") {
				t.Errorf("%q became %q", path, got)
			}
		}
	})
}
