package openapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http/httptest"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/functions"
	"github.com/flexfn/flexfn/internal/oas"
	"github.com/flexfn/flexfn/internal/testing/kinds"
	"github.com/flexfn/flexfn/openapi"
	"github.com/flexfn/flexfn/twiliofake"
)

// schemaOf compiles the components of a document with an independent validator.
func schemaOf(t *testing.T, document []byte, name string) *jsonschema.Resolved {
	t.Helper()
	var d struct {
		Components struct{ Schemas json.RawMessage }
	}
	if err := json.Unmarshal(bytes.ReplaceAll(document, []byte("#/components/schemas/"), []byte("#/$defs/")), &d); err != nil {
		t.Fatal(err)
	}
	var schema jsonschema.Schema
	if err := json.Unmarshal(fmt.Appendf(nil, `{"$ref":"#/$defs/%s","$defs":%s}`, name, d.Components.Schemas), &schema); err != nil {
		t.Fatal(err)
	}
	resolved, err := schema.Resolve(nil)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return resolved
}

func validate(schema *jsonschema.Resolved, body []byte) error {
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return err
	}
	return schema.Validate(v)
}

func document(t *testing.T, routes []flexfn.Route) []byte {
	t.Helper()
	d, err := openapi.Document(kinds.Describe(routes), openapi.Info{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestAppKeepsToDocument: what an app answers, accepts and refuses agrees with the
// document.
func TestAppKeepsToDocument(t *testing.T) {
	fake, err := twiliofake.New(twiliofake.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer fake.Close()
	app, err := flexfn.New(flexfn.Config{AccountSID: twiliofake.DevelopmentAccountSID, AuthToken: twiliofake.DevelopmentAuthToken,
		WorkspaceSID: twiliofake.DevelopmentWorkspaceSID, Transport: fake.Client().Transport, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range kinds.Routes() {
		app.Handle(r.Path, r.Function)
	}
	d := document(t, app.Routes())
	const sid, call = "CF00000000000000000000000000000001", "CA00000000000000000000000000000001"
	for _, test := range []struct {
		path, name, body string
		status           int
	}{
		{"/kinds/answers", "KindsAnswers", `{}`, 200},
		{"/kinds/answers/list", "KindsAnswersList", `{}`, 200},
		{"/kinds/answers/text", "KindsAnswersText", `{}`, 200},
		{"/kinds/answers/map", "KindsAnswersMap", `{}`, 200},
		{"/kinds/answers/pointer", "KindsAnswersPointer", `{}`, 200},
		{"/kinds/answers/any", "KindsAnswersAny", `{}`, 200},
		{"/kinds/answers/nothing", "KindsAnswersNothing", `{}`, 200},
		{"/kinds/answers/own", "KindsAnswersOwn", `{}`, 200},
		{"/kinds/optional", "KindsOptional", `{"times": 3}`, 200},
		{"/kinds/optional", "KindsOptional", `{"times": "many"}`, 400},
		{"/kinds/untyped", "KindsUntyped", `{"name": "a", "x": [1]}`, 200},
		{"/kinds/untyped", "KindsUntyped", `{"x": 1}`, 400},
		{"/kinds/echo", "KindsEcho", `{"text": "a"}`, 200},
		{"/kinds/echo", "KindsEcho", `{"text": ""}`, 400},
		{"/kinds/echo", "KindsEcho", `{}`, 400},
		{"/kinds/echo", "KindsEcho", `{"text": "a", "tiny": 127, "unsigned": 4294967295, "span": 1.5, "number": 5, "anything": [1], "raw": 1, "phone": "+15550100", "level": "low", "pair": [1, 2]}`, 200},
		{"/kinds/echo", "KindsEcho", `{"text": "a", "span": "1m", "point": {"x": 1}, "tree": {"children": [{}]}, "inline": {}, "counts": {"a": 1}}`, 200},
		{"/kinds/echo", "KindsEcho", `{"text": "a", "sid": "` + sid + `", "sids": ["` + call + `"]}`, 200},
		{"/kinds/echo", "KindsEcho", `{"text": "a", "sid": "` + call + `"}`, 400},
		{"/kinds/echo", "KindsEcho", `{"text": "a", "sids": ["` + sid + `"]}`, 400},
		{"/kinds/echo", "KindsEcho", `{"text": "a", "tiny": 128}`, 400},
		{"/kinds/echo", "KindsEcho", `{"text": "a", "tiny": -129}`, 400},
		{"/kinds/echo", "KindsEcho", `{"text": "a", "short": 32768}`, 400},
		{"/kinds/echo", "KindsEcho", `{"text": "a", "long": 2147483648}`, 400},
		{"/kinds/echo", "KindsEcho", `{"text": "a", "octet": 256}`, 400},
		{"/kinds/echo", "KindsEcho", `{"text": "a", "port": 65536}`, 400},
		{"/kinds/echo", "KindsEcho", `{"text": "a", "count": -1}`, 400},
		{"/kinds/echo", "KindsEcho", `{"text": "a", "unsigned": -1}`, 400},
		{"/kinds/echo", "KindsEcho", `{"text": "a", "unsigned": 4294967296}`, 400},
		{"/kinds/echo", "KindsEcho", `{"text": "a", "whole": 1.5}`, 400},
		{"/kinds/echo", "KindsEcho", `{"text": "a", "phone": "5550100"}`, 400},
		{"/kinds/echo", "KindsEcho", `{"text": "a", "point": {"x": "1"}}`, 400},
		{"/kinds/echo", "KindsEcho", `{"text": "a", "counts": {"a": "1"}}`, 400},
		{"/kinds/echo", "KindsEcho", `{"text": "a", "flag": 1}`, 400},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("POST", test.path, strings.NewReader(test.body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer dev-agent")
		app.ServeHTTP(w, r)
		if w.Code != test.status {
			t.Errorf("%s %s: status %d, want %d: %s", test.path, test.body, w.Code, test.status, w.Body)
		}
		fits := validate(schemaOf(t, d, test.name+"Input"), []byte(test.body))
		if (fits == nil) != (w.Code == 200) {
			t.Errorf("%s %s: the app answers %d, the schema says %v", test.path, test.body, w.Code, fits)
		}
		answer := test.name + "Result"
		if w.Code != 200 {
			answer = "Failure"
		}
		if err := validate(schemaOf(t, d, answer), w.Body.Bytes()); err != nil {
			t.Errorf("%s %s: the answer %s is not as described: %v", test.path, test.body, w.Body, err)
		}
	}
}

// TestValuesFitSchemas: the JSON of every value of a type fits the schema.
func TestValuesFitSchemas(t *testing.T) {
	d := document(t, kinds.Routes())
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for name, v := range map[string]any{"KindsAnswersResult": kinds.Answers{}, "All": kinds.All{}, "Tree": kinds.Tree{}} {
		schema := schemaOf(t, d, name)
		for range 300 {
			value := reflect.New(reflect.TypeOf(v)).Elem()
			fill(value, random, 0)
			body, err := json.Marshal(value.Interface())
			if err != nil {
				t.Fatal(err)
			}
			if name == "KindsAnswersResult" {
				body = append(body[:len(body)-1], `,"success":true}`...)
			}
			if err := validate(schema, body); err != nil {
				t.Fatalf("seed %d: %s: %v: %s", seed, name, err, body)
			}
		}
	}
}

// fill sets v to a random value; a third of what may be nil is.
func fill(v reflect.Value, random *rand.Rand, depth int) {
	zero := random.IntN(3) == 0 || depth > 5
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(random.Int64N(1<<33), 0).UTC()))
		return
	case json.Number:
		v.SetString("12.5")
		return
	case kinds.Level:
		v.SetInt(1)
		return
	case kinds.Self:
		return
	case json.RawMessage:
		v.SetBytes([]byte(`{"a":1}`))
		return
	}
	switch k := v.Kind(); {
	case k == reflect.Pointer && !zero:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), random, depth+1)
	case k == reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i), random, depth+1)
			}
		}
	case k == reflect.Slice && !zero:
		v.Set(reflect.MakeSlice(v.Type(), random.IntN(3), 3))
		for i := range v.Len() {
			fill(v.Index(i), random, depth+1)
		}
	case k == reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), random, depth+1)
		}
	case k == reflect.Map && !zero:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, random, depth+1)
		fill(value, random, depth+1)
		v.SetMapIndex(key, value)
	case k == reflect.Interface && !zero:
		v.Set(reflect.ValueOf([]any{"a", 1, nil}))
	case k == reflect.String:
		v.SetString(strings.Repeat("é", random.IntN(3)))
	case k == reflect.Bool:
		v.SetBool(random.IntN(2) == 0)
	case v.CanInt():
		v.SetInt(random.Int64() >> 1)
	case v.CanUint():
		v.SetUint(random.Uint64())
	case v.CanFloat():
		v.SetFloat(random.NormFloat64())
	}
}

func TestNames(t *testing.T) {
	in := reflect.TypeFor[kinds.Nothing]()
	for _, paths := range [][]string{{"/a/b", "/a-b"}, {"/a/b", "/A/b"}, {"/a", "/a"}, {"/9", "/call9"}} {
		_, err := openapi.Document([]openapi.Function{{Path: paths[0], Input: in, Output: in}, {Path: paths[1], Input: in, Output: in}}, openapi.Info{})
		if err == nil {
			t.Errorf("%v both get a name", paths)
		}
	}
	if _, err := openapi.Document([]openapi.Function{{Input: in, Output: in}}, openapi.Info{}); err == nil {
		t.Error("a function without a path is described")
	}
	d := document(t, functions.Routes())
	if again := document(t, functions.Routes()); !bytes.Equal(d, again) {
		t.Error("two documents of the same functions differ")
	}
	for _, want := range []string{`"commonFlexProgrammableVoiceHoldParticipant"`, `"pattern": "^CA[0-9a-fA-F]{32}$"`, `"description": "unique ID of conference to update"`} {
		if !bytes.Contains(d, []byte(want)) {
			t.Errorf("the document lacks %s", want)
		}
	}
}

// TestEverySchemaIsReferredTo: each schema is referred to.
func TestEverySchemaIsReferredTo(t *testing.T) {
	for _, routes := range [][]flexfn.Route{kinds.Routes(), functions.Routes()} {
		document, err := openapi.Document(kinds.Describe(routes), openapi.Info{})
		if err != nil {
			t.Fatal(err)
		}
		var d oas.Document
		if err := json.Unmarshal(document, &d); err != nil {
			t.Fatal(err)
		}
		reached := map[string]bool{}
		var walk func(part any)
		walk = func(part any) {
			text, err := json.Marshal(part)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(`"#/components/schemas/(\w+)"`).FindAllSubmatch(text, -1) {
				if name := string(m[1]); !reached[name] {
					reached[name] = true
					walk(d.Components.Schemas[name])
				}
			}
		}
		walk(d.Paths)
		walk(d.Components.Responses)
		var idle []string
		for name := range d.Components.Schemas {
			if !reached[name] {
				idle = append(idle, name)
			}
		}
		if len(d.Components.Schemas) < 20 || idle != nil {
			t.Errorf("of %d schemas, %q are not referred to", len(d.Components.Schemas), idle)
		}
	}
}
