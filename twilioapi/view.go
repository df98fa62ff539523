package twilioapi

import (
	"bytes"
	"encoding/json"
	"net/url"
	"reflect"
	"strings"
	"time"
)

// Resource is a Twilio resource in the form that Twilio's Node.js library
// gives it and that Flex plugins expect: names in camelCase, times such as
// "2024-01-02T03:04:05.000Z", absent values as null. Attributes stay the JSON
// text that Twilio sent. A handler may add and change keys. Twilio's REST API
// itself uses snake_case, and so do twilio-go's models when they are
// marshalled.
type Resource map[string]any

// View makes a Resource from a model of twilio-go, such as
// *api.ApiV2010Participant, or from any struct whose json tags are Twilio's
// names. Return the View of a model from a handler, since the model itself
// marshals to other names. Names inside a field, such as links, stay as Twilio
// sends them.
//
// Fields that hold credentials (tokens, secrets, passwords) are left out, and user
// and password are removed from URLs, at any depth. A nil model gives a nil
// Resource, null in JSON. View panics if model is not a struct.
//
//	task := twilioapi.View(res.Data)
//	task["attributes"] = json.RawMessage(attributes) // an object instead of text
//	return Reply{Task: task}, nil
//
// A struct that is not a model works if its tags are in snake_case. Fields
// without a json tag are left out.
func View(model any) Resource {
	v := reflect.ValueOf(model)
	if !v.IsValid() {
		return nil
	}
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	t := v.Type()
	r := make(Resource, t.NumField())
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if !t.Field(i).IsExported() || name == "" || name == "-" || secret(name) {
			continue
		}
		r[camelCase(name)] = viewOf(name, v.Field(i))
	}
	return r
}

// Views returns the [View] of each model. An empty or nil list is [] in JSON.
func Views[T any](models []T) []Resource {
	list := make([]Resource, len(models))
	for i := range models {
		list[i] = View(&models[i])
	}
	return list
}

// viewOf returns the view of the field called name: times in the format of
// Node.js, nil pointers as null.
func viewOf(name string, v reflect.Value) any {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	switch value := v.Interface().(type) {
	case nil:
		return nil
	case time.Time:
		return isoTime(value)
	case string:
		// Resources of the API 2010-04-01 have times as text (RFC 2822).
		if strings.HasPrefix(name, "date_") || strings.HasSuffix(name, "_date") || strings.HasSuffix(name, "_time") {
			if t, err := time.Parse(time.RFC1123Z, value); err == nil {
				return isoTime(t)
			}
		}
		return withoutUser(value)
	default:
		switch v.Kind() {
		case reflect.Map, reflect.Struct, reflect.Slice, reflect.Interface:
			return inside(value)
		}
		return value
	}
}

// inside returns the view of a value within a resource, such as a map of links.
func inside(value any) any {
	b, err := json.Marshal(value)
	if err != nil {
		return nil // twilio-go decoded it from JSON
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if d.Decode(&value) != nil {
		return nil
	}
	return withoutSecrets(value)
}

// withoutSecrets removes credentials from a decoded JSON value, at any depth.
// It changes value.
func withoutSecrets(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for k, v := range value {
			if secret(k) {
				delete(value, k)
			} else {
				value[k] = withoutSecrets(v)
			}
		}
	case []any:
		for i, v := range value {
			value[i] = withoutSecrets(v)
		}
	case string:
		return withoutUser(value)
	}
	return value
}

func isoTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// camelCase turns date_created into dateCreated.
func camelCase(name string) string {
	words := strings.Split(name, "_")
	for i, w := range words[1:] {
		if w != "" {
			words[i+1] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, "")
}

// secret reports whether a field of this name holds a credential.
func secret(name string) bool {
	for _, end := range []string{"token", "secret", "password", "credential", "credentials"} {
		if name == end || strings.HasSuffix(name, "_"+end) {
			return true
		}
	}
	return false
}

// withoutUser removes user and password from a URL, such as a webhook's.
func withoutUser(s string) string {
	if !strings.Contains(s, "@") {
		return s
	}
	u, err := url.Parse(s)
	if err != nil || u.User == nil {
		return s
	}
	u.User = nil
	return u.String()
}
