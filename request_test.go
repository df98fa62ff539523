package flexfn

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/flexfn/flexfn/internal/claim"
	"github.com/flexfn/flexfn/internal/form"
	"github.com/flexfn/flexfn/internal/jsonshape"
	"github.com/flexfn/flexfn/internal/testing/blind"
)

// FuzzMembers: the members that are found in a JSON object before it is decoded
// are those that encoding/json finds.
func FuzzMembers(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"Token":"a"}`, ` {"a":[1,{"Token":2}],"\u0054oken":"b\"}"} `, `{"Token":1,"Token":null}`, `{"a":"\\","Token":{}}`,
		`{"a":-1.5e3,"b":true , "Token" : [ ] }`, "\xef\xbb\xbf{\"Token\":\"\xff\"}", `{"":{"":""}}`,
		`{"\u0054\u006f\u006b\u0065\u006e":1,"a\nb":2,"\u0055oken":3}`,
	} {
		f.Add([]byte(s))
	}
	blind.Fuzz(f, func(t *testing.T, body []byte) {
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

func TestDeleteEmptyKeys(t *testing.T) {
	pairs := []form.Pair{{Value: "1"}, {Value: "2"}, {Key: "a"}, {Value: "3"}, {Key: "b"}, {Value: "4"}}
	if got := deleteEmptyKeys(pairs); !slices.Equal(got, []form.Pair{{Key: "a"}, {Key: "b"}}) {
		t.Errorf("%v", got)
	}
}

// TestSumOfParameters: the checksum of the parameters covers all of them except
// the token.
func TestSumOfParameters(t *testing.T) {
	sum := func(vs values) claim.Sum { return vs.sum("Token") }
	pair := func(key, value string) []form.Pair {
		return []form.Pair{{Key: "Token", Value: value}, {Key: key, Value: "1"}}
	}
	object := func(text string) (m map[string]json.RawMessage) {
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	different := map[claim.Sum]string{}
	for name, two := range map[string][2]values{
		"query": {{query: pair("a", "x")}, {query: pair("a", "y")}},
		"form":  {{form: pair("a", "x")}, {form: pair("a", "y")}},
		"key":   {{form: pair("b", "x")}, {form: pair("b", "y")}},
		"JSON":  {{json: object(`{"Token":"x","a":1,"b":2}`)}, {json: object(`{"b":2,"a":1,"Token":"y"}`)}},
		"value": {{json: object(`{"Token":"x","a":2,"b":2}`)}, {json: object(`{"a":2,"b":2}`)}},
	} {
		if sum(two[0]) != sum(two[1]) {
			t.Errorf("%s: the checksum depends on the token or the order", name)
		}
		if other, ok := different[sum(two[0])]; ok {
			t.Errorf("%s and %s have the same checksum", name, other)
		}
		different[sum(two[0])] = name
	}
}

// TestUnreadable checks that Twilio is answered 500 instead of a 4xx, and that a
// 5xx is kept.
func TestUnreadable(t *testing.T) {
	for status, want := range map[int]int{400: 500, 413: 500, 499: 500, 500: 500, 503: 503} {
		bad := Errorf(status, "bad")
		got, _ := errors.AsType[*Error](unreadable(bad))
		if got.Status != want || (error(got) == bad) != (status >= 500) {
			t.Errorf("%d became %d: %v", status, got.Status, got)
		}
	}
}
