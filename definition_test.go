package flexfn

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"
)

type (
	endless      []endless
	endlessMap   map[string]endlessMap
	endlessPoint *endlessPoint
	tree         struct {
		Children []tree `json:"children"`
	}
	named struct {
		Success bool   `json:"success"`
		Status  string `json:"status"`
	}
)

// faultOf returns the fault of a function with In as its parameters.
func faultOf[In any]() error {
	return PrepareFlexFunction(func(context.Context, In) (any, error) { return nil, nil }).fault
}

func TestFaultyParameters(t *testing.T) {
	for want, err := range map[string]error{
		"L: flexfn.endless contains nothing but itself":      faultOf[struct{ L endless }](),
		"LL: [][]flexfn.endless contains nothing but itself": faultOf[struct{ LL [][]endless }](),
		"M: flexfn.endlessMap contains nothing but itself":   faultOf[struct{ M endlessMap }](),
		"P: flexfn.endlessPoint contains nothing but itself": faultOf[struct{ P endlessPoint }](),
		"embed flexfn.named itself":                          faultOf[struct{ *named }](),
		"the tag purpos is unknown": faultOf[struct {
			A string `purpos:"what it is for"`
		}](),
		"the tag cannot be read": checkTag(`json:"a",purpose:"what it is for"`),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the fault %v does not say %q", err, want)
		}
	}
	if err := faultOf[struct {
		T tree  `json:"t,omitempty" purpose:"a \"tree\"" doc:"x"`
		A []any `example:"[1]"`
	}](); err != nil {
		t.Error(err)
	}
}

// TestTypesAreDocumented: each kind of Go type is in the table of
// docs/parameters.md or in its list of impossible types.
func TestTypesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("docs/parameters.md")
	if err != nil {
		t.Fatal(err)
	}
	table, impossible, _ := strings.Cut(string(page), "\nNamed types such as")
	_, table, _ = strings.Cut(table, "\n## Types\n")
	impossible, _, _ = strings.Cut(impossible, "\n#")
	written := map[string]string{ // names on the page, where they differ
		"*int": "*T", "[]int": "[]T", "[1]int": "[N]T", "map[string]int": "map[string]T", "struct {}": "a struct", "interface {}": "any",
		"[]uint8": "[]byte", "complex64": "complex", "complex128": "complex", "chan int": "channels", "func()": "functions",
		"interface { M() }": "interfaces with methods", "unsafe.Pointer": "",
	}
	samples := []any{
		false, 0, int8(0), int16(0), int32(0), int64(0), uint(0), uint8(0), uint16(0), uint32(0), uint64(0), uintptr(0),
		float32(0), float64(0), complex64(0), complex128(0), [1]int{}, make(chan int), func() {}, map[string]int{}, new(int),
		[]int{}, "", struct{}{}, []byte{}, json.Number(""), json.RawMessage{}, time.Time{}, time.Duration(0), unsafe.Pointer(nil),
	}
	types := []reflect.Type{reflect.TypeFor[any](), reflect.TypeFor[interface{ M() }]()}
	for _, sample := range samples {
		types = append(types, reflect.TypeOf(sample))
	}
	kinds := map[reflect.Kind]bool{}
	for _, typ := range types {
		kinds[typ.Kind()] = true
		name, ok := written[typ.String()]
		if !ok {
			name = typ.String()
		}
		where, place := table, "table"
		if _, err := setterFor(typ, ""); err != nil {
			where, place = impossible, "list of impossible types"
		}
		if !strings.Contains(where, name) {
			t.Errorf("the %s in docs/parameters.md does not name %s", place, name)
		}
	}
	for k := reflect.Bool; k <= reflect.UnsafePointer; k++ {
		if !kinds[k] {
			t.Errorf("no sample of the kind %s", k)
		}
	}
}

func TestSuccessIsAlwaysSent(t *testing.T) {
	type optional struct {
		Success bool `json:"success,omitempty"`
	}
	type nested struct {
		named `json:"inner"`
	}
	type Inner struct {
		Success bool `json:"success"`
	}
	type exported struct {
		Inner `json:"inner"`
	}
	type deep struct{ Inner }
	for _, c := range []struct {
		out  any
		want string
	}{
		{optional{}, `{"success":true}`},
		{optional{true}, `{"success":true}`},
		{nested{}, `{"inner":{"success":false,"status":""},"success":true}`},
		{exported{}, `{"inner":{"success":false},"success":true}`},
		{deep{}, `{"success":false}`},
		{struct{ Named named }{}, `{"Named":{"success":false,"status":""},"success":true}`},
	} {
		keys := keysOfType(reflect.TypeOf(c.out))
		if keys != nil && keys.status {
			t.Errorf("%T is refused", c.out)
		}
		if got, err := envelope(true, c.out, keys); string(got) != c.want {
			t.Errorf("%T: %s (%v), want %s", c.out, got, err, c.want)
		}
	}
}

func TestListsFromStrangers(t *testing.T) {
	type input struct {
		Items []string          `json:"items" purpose:"what is to be done"`
		Any   []any             `json:"any"`
		Raw   []json.RawMessage `json:"raw"`
	}
	app := testApp(t, nil)
	app.Handle("/f", PrepareStudioFunction(func(_ context.Context, in input) (map[string]any, error) {
		return map[string]any{"in": in}, nil
	}, OpenToAnyone()))
	const form = "application/x-www-form-urlencoded; charset=utf8"
	for _, c := range []struct{ contentType, body, want string }{
		{form, "items=[urgent] call", `"items":["[urgent] call"]`},
		{form, `items=["a","b"]`, `"items":["a","b"]`},
		{"application/json; charset=UTF8", `{"items":"[","any":[null,1],"raw":[null,{}]}`, `"items":["["],"any":[null,1],"raw":[null,{}]`},
		{"application/json; charset=latin1", `{"items":"a"}`, "not UTF-8"},
	} {
		r := httptest.NewRequest(http.MethodPost, "/f", strings.NewReader(c.body))
		r.Header.Set("Content-Type", c.contentType)
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s: %d %s, want %s", c.body, w.Code, w.Body, c.want)
		}
	}
}

func TestErrorfKeepsEachCause(t *testing.T) {
	err := Errorf(409, "%w, and %w", io.EOF, context.Canceled)
	if !errors.Is(err, io.EOF) || !errors.Is(err, context.Canceled) {
		t.Errorf("%v lost a cause", err)
	}
}

func TestConfiguredCORSHeaders(t *testing.T) {
	app := testApp(t, func(c *Config) { c.AllowedHeaders, c.ExposedHeaders = []string{"baggage"}, []string{"X-Total"} })
	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest(http.MethodOptions, "/f", nil))
	for name, want := range map[string]string{
		"Access-Control-Allow-Headers":  "Authorization, Content-Type, Idempotency-Key, baggage",
		"Access-Control-Expose-Headers": "Retry-After, X-Request-Id, X-Total",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	config := testConfig()
	config.ExposedHeaders = []string{"a\r\nb"}
	if _, err := New(config); err == nil || !strings.Contains(err.Error(), "FLEXFN_EXPOSED_HEADERS") {
		t.Errorf("a line break in a header's name: %v", err)
	}
}

func TestAttemptTimeoutZero(t *testing.T) {
	c := FromLookup(func(name string) (string, bool) { return "0", name == "FLEXFN_ATTEMPT_TIMEOUT" })
	if len(c.faults) > 0 {
		t.Error(c.faults)
	}
}
