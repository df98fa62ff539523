package flexfn

import (
	"encoding/json"
	"testing"

	"github.com/flexfn/flexfn/internal/jsonshape"
)

// FuzzMembers: what is found in a JSON object before it is decoded is what
// encoding/json finds in it.
func FuzzMembers(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"Token":"a"}`, ` {"a":[1,{"Token":2}],"\u0054oken":"b\"}"} `, `{"Token":1,"Token":null}`, `{"a":"\\","Token":{}}`,
		`{"a":-1.5e3,"b":true , "Token" : [ ] }`, "\xef\xbb\xbf{\"Token\":\"\xff\"}", `{"":{"":""}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		object, err := checkObject(body)
		if err != nil || object == nil {
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(object, &want); err != nil {
			t.Fatalf("%q passed: %v", body, err)
		}
		got := map[string]string{}
		jsonshape.EachMember(object, func(name, value []byte) {
			var s string
			if err := json.Unmarshal(name, &s); err != nil {
				t.Fatalf("%q has the name %q: %v", body, name, err)
			}
			if s == "Token" != isName(name, "Token") {
				t.Errorf("isName(%q) is wrong", name)
			}
			got[s] = string(value)
		})
		if len(got) != len(want) {
			t.Errorf("%q has %d members, found %d", body, len(want), len(got))
		}
		for name, value := range want {
			if got[name] != string(value) {
				t.Errorf("%q: %q is %q, found %q", body, name, value, got[name])
			}
		}
	})
}
