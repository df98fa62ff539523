package dev

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A Person is a development user that the console and flexfn call can act as.
// The token is not in the JSON: the console names a person, and the server adds
// the token.
type Person struct {
	Name  string `json:"name"`
	Token string `json:"-"`
}

// The two callers without a Flex token: Twilio signs its requests, Nobody sends
// no credentials. They share a namespace with the persons' names.
const (
	Twilio = "twilio"
	Nobody = "nobody"
)

// People returns the persons of the fake's development state. They include
// those whose tokens fail, so that a developer can see what the plugin gets
// then. The real Twilio knows none of them.
func People() []Person {
	var list []Person
	for _, name := range []string{"agent", "supervisor", "admin", "guest", "expired", "invalid", "outage"} {
		list = append(list, Person{name, developmentToken(name)})
	}
	return list
}

// developmentToken returns the Flex token of a person of the development state.
// The development state has them under these names; twiliofake lists them at
// DevelopmentState.
func developmentToken(name string) string { return "dev-" + name }

// suitable returns the name of a person who may call f. It is the first role
// that the function allows and a development person has.
func suitable(f Function) string {
	switch {
	case f.Studio && f.Open:
		return Nobody
	case f.Studio:
		return Twilio
	}
	for _, role := range f.Roles {
		if slices.Contains([]string{"supervisor", "admin", "agent"}, role) {
			return role
		}
	}
	return "agent"
}

// Suitable asks the server of flexfn dev at base who may call the function at
// path. The result is empty if there is no such server or function, or if the
// function is for users of the real Twilio. It waits two seconds at most, since
// flexfn call can do without the answer.
func Suitable(ctx context.Context, base, path string) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+ConsolePath+"api/functions", nil)
	if err != nil {
		return ""
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	var list []functionInfo
	if resp.StatusCode != http.StatusOK || json.NewDecoder(io.LimitReader(resp.Body, 8<<20)).Decode(&list) != nil {
		return ""
	}
	for _, f := range list {
		if f.Path == path {
			return f.Person
		}
	}
	return ""
}

// person returns the name of the sender of r: Twilio, Nobody, or a person of
// the development state. It is empty if r has any other token. It looks for the
// development tokens anywhere in the request, since they may be in a header, a
// form or JSON.
func (r *rawRequest) person() string {
	if r.header.Get("X-Twilio-Signature") != "" {
		return Twilio
	}
	sent := r.uri + " " + r.header.Get("Authorization") + " " + string(r.body)
	for _, p := range People() {
		if strings.Contains(sent, p.Token) {
			return p.Name
		}
	}
	if strings.Contains(sent, "Token") || r.header.Get("Authorization") != "" {
		return ""
	}
	return Nobody
}
