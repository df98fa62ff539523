// Package kinds has functions with every kind of parameter, answer and failure
// that flexfn supports, for tests of generated code.
package kinds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/openapi"
)

// Routes returns the functions. Each call makes new ones.
func Routes() []flexfn.Route {
	return []flexfn.Route{
		{Path: "/kinds/echo", Function: flexfn.PrepareFlexFunction(echo, flexfn.Doc("Answers with what it was given."))},
		{Path: "/kinds/optional", Function: flexfn.PrepareFlexFunction(optional, flexfn.Doc("Needs nothing."))},
		{Path: "/kinds/untyped", Function: flexfn.PrepareFlexFunction(untyped, flexfn.Require("name", "who it is"))},
		{Path: "/kinds/answers", Function: flexfn.PrepareFlexFunction(answers, flexfn.Doc("Answers with every kind of field. */ is harmless."))},
		{Path: "/kinds/answers/list", Function: flexfn.PrepareFlexFunction(func(context.Context, Nothing) ([]string, error) { return []string{"a"}, nil })},
		{Path: "/kinds/answers/text", Function: flexfn.PrepareFlexFunction(func(context.Context, Nothing) (string, error) { return "a", nil })},
		{Path: "/kinds/answers/map", Function: flexfn.PrepareFlexFunction(func(context.Context, Nothing) (map[string]int, error) { return map[string]int{"a": 1}, nil })},
		{Path: "/kinds/answers/pointer", Function: flexfn.PrepareFlexFunction(func(context.Context, Nothing) (*Tree, error) { return nil, nil })},
		{Path: "/kinds/answers/any", Function: flexfn.PrepareFlexFunction(func(context.Context, Nothing) (any, error) { return map[string]any{"a": 1}, nil })},
		{Path: "/kinds/answers/nothing", Function: flexfn.PrepareFlexFunction(func(context.Context, Nothing) (Nothing, error) { return Nothing{}, nil })},
		{Path: "/kinds/answers/own", Function: flexfn.PrepareFlexFunction(func(context.Context, Nothing) (Own, error) { return Own{}, nil })},
		{Path: "/kinds/answers/response", Function: flexfn.PrepareFlexFunction(response)},
		{Path: "/kinds/delete", Function: flexfn.PrepareFlexFunction(func(context.Context, Nothing) (Nothing, error) { return Nothing{}, nil }, flexfn.Roles("supervisor", "admin"))},
		{Path: "/kinds/fail", Function: flexfn.PrepareFlexFunction(fail)},
		{Path: "/kinds/limited", Function: limited()},
		{Path: "/kinds/once", Function: once()},
		{Path: "/kinds/proto", Function: flexfn.PrepareFlexFunction(func(context.Context, protoParams) (Nothing, error) { return Nothing{}, nil })},
		{Path: "/kinds/slow", Function: flexfn.PrepareFlexFunction(slow)},
		{Path: "/kinds/open", Function: flexfn.PrepareStudioFunction(optional, flexfn.OpenToAnyone())},
		{Path: "/kinds/studio", Function: flexfn.PrepareStudioFunction(optional)},
	}
}

// Describe returns the description of routes.
func Describe(routes []flexfn.Route) []openapi.Function {
	var list []openapi.Function
	for _, r := range routes {
		list = append(list, r.Describe())
	}
	return list
}

// Nothing has no parameters, or is an empty answer.
type Nothing struct{}

// Level marshals itself as text.
type Level int

// UnmarshalText implements [encoding.TextUnmarshaler].
func (l *Level) UnmarshalText(b []byte) error {
	switch string(b) {
	case "low":
		*l = 1
	case "high":
		*l = 2
	default:
		return errors.New("low or high")
	}
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (l Level) MarshalText() ([]byte, error) {
	return []byte(map[Level]string{1: "low", 2: "high"}[l]), nil
}

// Self marshals itself as JSON.
type Self struct{ text string }

// UnmarshalJSON implements [json.Unmarshaler].
func (s *Self) UnmarshalJSON(b []byte) error { s.text = string(b); return nil }

// MarshalJSON implements [json.Marshaler].
func (s Self) MarshalJSON() ([]byte, error) {
	if s.text == "" {
		return []byte("null"), nil
	}
	return []byte(s.text), nil
}

// Base is embedded.
type Base struct {
	Base string `json:"base" doc:"of an embedded struct"`
}

// Point is nested.
type Point struct {
	X    int       `json:"x" doc:"to the right"`
	Name string    `json:"name,omitempty"`
	Far  int64     `json:"far"`
	When time.Time `json:"when"`
}

// Tree contains itself.
type Tree struct {
	Name     string  `json:"name"`
	Children []*Tree `json:"children"`
}

// All has a parameter of every kind.
type All struct {
	Base
	Text     string            `json:"text" purpose:"a required text"`
	Flag     bool              `json:"flag"`
	Tiny     int8              `json:"tiny"`
	Short    int16             `json:"short"`
	Long     int32             `json:"long"`
	Longest  int64             `json:"longest"`
	Octet    uint8             `json:"octet"`
	Port     uint16            `json:"port"`
	Count    uint              `json:"count"`
	Whole    int               `json:"whole"`
	Unsigned uint32            `json:"unsigned"`
	Huge     uint64            `json:"huge"`
	Ratio    float64           `json:"ratio"`
	Single   float32           `json:"single"`
	When     time.Time         `json:"when" doc:"a time" example:"2026-01-31T15:04:05Z"`
	Span     time.Duration     `json:"span"`
	Number   json.Number       `json:"number"`
	Raw      json.RawMessage   `json:"raw"`
	Anything any               `json:"anything"`
	Sid      string            `json:"sid" kind:"CF|WT"`
	Phone    string            `json:"phone" kind:"e164"`
	Sids     []string          `json:"sids" kind:"CA"`
	Texts    []string          `json:"texts"`
	Wholes   []int64           `json:"wholes"`
	Times    []time.Time       `json:"times"`
	Point    Point             `json:"point"`
	Points   []Point           `json:"points"`
	Tree     *Tree             `json:"tree"`
	Counts   map[string]int    `json:"counts"`
	Labels   map[string]string `json:"labels"`
	Pair     [2]int            `json:"pair"`
	Maybe    *string           `json:"maybe"`
	MaybeInt *int              `json:"maybe-int" doc:"its name is not an identifier"`
	Level    Level             `json:"level"`
	Self     Self              `json:"self"`
	Inline   struct {
		A int `json:"a"`
	} `json:"inline"`
}

type echoReply struct {
	Got All `json:"got"`
}

func echo(_ context.Context, in All) (echoReply, error) {
	if in.Level == 0 {
		in.Level = 1
	}
	if in.Number == "" {
		in.Number = "0"
	}
	return echoReply{in}, nil
}

type optionalParams struct {
	Times int `json:"times" doc:"how often" example:"2"`
}

type optionalReply struct {
	Times int `json:"times"`
}

func optional(_ context.Context, in optionalParams) (optionalReply, error) {
	return optionalReply(in), nil
}

func untyped(_ context.Context, event flexfn.Event) (map[string]any, error) {
	return map[string]any{"event": event}, nil
}

// Answers has a field of every kind that an answer can have.
type Answers struct {
	Base
	*Point
	Text      string         `json:"text"`
	Bytes     []byte         `json:"bytes"`
	List      []Point        `json:"list"`
	Omitted   []Point        `json:"omitted,omitempty"`
	Zero      *Tree          `json:"zero,omitzero"`
	Null      *Tree          `json:"null"`
	Quoted    int            `json:"quoted,string"`
	MaybeText *int           `json:"maybeText,string"`
	Any       any            `json:"any"`
	Map       map[string]any `json:"map"`
	ByNumber  map[int]bool   `json:"byNumber"`
	Triple    [3]uint16      `json:"triple"`
	Level     Level          `json:"level"`
	Self      Self           `json:"self"`
	When      *time.Time     `json:"when"` // hides Point's
	Span      time.Duration  `json:"span"`
	Hidden    string         `json:"-"`
	Plain     bool
	Anonymous struct {
		A int `json:"a"`
	} `json:"anonymous"`
}

func answers(context.Context, Nothing) (Answers, error) {
	return Answers{Level: 2, Span: time.Second, List: []Point{{X: 1}}}, nil
}

// Own has a field named success.
type Own struct {
	Success bool `json:"success"`
}

func response(context.Context, Nothing) (*flexfn.Response, error) {
	return &flexfn.Response{Status: http.StatusAccepted, Body: "plain text"}, nil
}

type failParams struct {
	Status int `json:"status" purpose:"the status to fail with"`
	Code   int `json:"code" doc:"Twilio's error code"`
}

func fail(_ context.Context, in failParams) (Nothing, error) {
	if in.Status == http.StatusInternalServerError {
		return Nothing{}, errors.New("a secret of the inside")
	}
	return Nothing{}, &flexfn.Error{Status: in.Status, Message: fmt.Sprintf("It failed with %d", in.Status), TwilioErrorCode: in.Code}
}

type limitedParams struct {
	Key    string        `json:"key" purpose:"calls with the same key are counted together"`
	Before int           `json:"before" purpose:"how many calls are refused before one succeeds"`
	Wait   time.Duration `json:"wait" doc:"what Retry-After asks for"`
}

type limitedReply struct {
	Calls int `json:"calls"`
}

// limited answers 429 until it has been called often enough.
func limited() *flexfn.Function {
	var mu sync.Mutex
	calls := map[string]int{}
	return flexfn.PrepareFlexFunction(func(_ context.Context, in limitedParams) (limitedReply, error) {
		mu.Lock()
		defer mu.Unlock()
		calls[in.Key]++
		if n := calls[in.Key]; n > in.Before {
			return limitedReply{n}, nil
		}
		return limitedReply{}, &flexfn.Error{Status: http.StatusTooManyRequests, Message: "Too many " + strings.Repeat("very ", 2) + "requests", RetryAfter: in.Wait}
	})
}

type slowParams struct {
	For time.Duration `json:"for" purpose:"how long to wait"`
}

func slow(ctx context.Context, in slowParams) (Nothing, error) {
	timer := time.NewTimer(in.For)
	defer timer.Stop()
	select {
	case <-timer.C:
		return Nothing{}, nil
	case <-ctx.Done():
		return Nothing{}, ctx.Err()
	}
}

// protoParams has a parameter named like a property of every JavaScript object.
type protoParams struct {
	Constructor string `json:"constructor"`
}

type onceReply struct {
	Runs int64 `json:"runs"`
}

// once counts its runs.
func once() *flexfn.Function {
	var runs atomic.Int64
	return flexfn.PrepareFlexFunction(func(context.Context, Nothing) (onceReply, error) {
		return onceReply{runs.Add(1)}, nil
	}, flexfn.Once(time.Minute))
}
