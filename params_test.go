package flexfn

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

type embeddedFields struct {
	Inner string `json:"inner"`
}

// TestFieldsAfterOthers: a field that is not a parameter does not hide
// those after it.
func TestFieldsAfterOthers(t *testing.T) {
	list, err := parametersOf(reflect.TypeFor[struct {
		embeddedFields
		hidden int
		Left   string `json:"-"`
		Own    string `json:"own"`
	}]())
	var names []string
	for _, p := range list {
		names = append(names, p.Name)
	}
	if err != nil || !slices.Equal(names, []string{"inner", "own"}) {
		t.Errorf("%q, %v", names, err)
	}
	err = faultOf[struct {
		*embeddedFields
		L   endless
		Own string `json:"own" purpose:""`
	}]()
	for _, want := range []string{"a pointer is embedded", "contains nothing but itself", "the purpose tag is empty"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

func TestTags(t *testing.T) {
	for tag, want := range map[reflect.StructTag]string{
		`json:"a"   doc:"x \" y"`: "",
		"doc:`x`":                 "cannot be read",
		`doc:'x'`:                 "cannot be read",
		`:"x"`:                    "cannot be read",
		`a b:"x"`:                 "cannot be read",
		`doc`:                     "cannot be read",
		`doc:"x`:                  "cannot be read",
		`docs:"x"`:                "is unknown",
	} {
		if err := checkTag(tag); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", tag, err)
		}
	}
	err := faultOf[struct {
		N int            `kind:"e164"`
		M map[string]int `kind:"e164"`
	}]()
	if err == nil || !strings.Contains(err.Error(), "for strings, not for int") || !strings.Contains(err.Error(), "for strings, not for map[string]int") {
		t.Errorf("kinds of other types: %v", err)
	}
}

func TestIsNumber(t *testing.T) {
	for _, s := range []string{"0", "9", "-1", "1.5e3", "12345678901234567890"} {
		if !isNumber(s) {
			t.Errorf("%s is not a number", s)
		}
	}
	for _, s := range []string{"", "-", "+1", ".5", "01", " 1", "true", "null", `"1"`, "[1]", "{}", "0x1", "1_0"} {
		if isNumber(s) {
			t.Errorf("%s is a number", s)
		}
	}
}

func TestWhatWasSent(t *testing.T) {
	long := strings.Repeat("x", 24)
	for _, c := range []struct {
		v    value
		want string
	}{
		{value{kind: stringValue, text: long}, `, not "` + long + `"`},
		{value{kind: stringValue, text: long + "x"}, ""},
		{value{kind: listValue, list: []string{"a", "b"}}, "; it was given 2 times"},
		{value{kind: objectValue, text: "{}"}, ", not an object"},
	} {
		if s := got(c.v); s != c.want {
			t.Errorf("%q, want %q", s, c.want)
		}
	}
	for typ, want := range map[reflect.Type]string{
		reflect.TypeFor[int]():        "a number that fits",
		reflect.TypeFor[float64]():    "a number that fits",
		reflect.TypeFor[complex128](): "of another type",
		reflect.TypeFor[*int]():       "of another type",
		reflect.TypeFor[bool]():       "true or false",
		reflect.TypeFor[[]int]():      "a list",
	} {
		if s := describe(typ); s != want {
			t.Errorf("%s: %s", typ, s)
		}
	}
	if ValidSID("CA" + strings.Repeat("0", 32)) {
		t.Error("ValidSID accepts a SID although no prefix is given")
	}
}
