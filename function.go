package flexfn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/openapi"
)

// Function is a handler with its description: parameters, types, and who may
// call it. Make one with [PrepareFlexFunction] or [PrepareStudioFunction], and
// register it with [App.Handle]. It holds no credentials and never changes, so
// it can be a package-level value, used by several apps at once.
type Function struct {
	studio     bool
	doc        string
	parameters []parameter
	in, out    reflect.Type
	keys       *answerKeys   // of out; nil if they are known only once it is encoded
	deadline   time.Duration // zero: the app's

	roles  []string
	guests bool

	open bool
	once *onceRule // nil: each call runs the handler
	part any       // of package events; see link.Definition
	// source says which of Twilio's deliveries it takes; empty for functions
	// that take none.
	source string
	// types are the types of events that it takes, if source is set.
	types []string

	required []openapi.Parameter // of Require
	bind     func(*call, *values) (in any, err error)
	invoke   func(ctx context.Context, in any) (any, error)
	fault    error // what is wrong with the definition
}

// FlexOption adjusts a Flex function: [AdmitGuests], [Roles], or any [Option].
type FlexOption interface{ applyFlex(*Function) }

// StudioOption adjusts a Studio function: [OpenToAnyone], or any [Option].
type StudioOption interface{ applyStudio(*Function) }

// Option adjusts a function of either kind: one of [Deadline], [Deduplicate],
// [Doc], [Once] and [Require]. An option may be given to several functions. If
// options set the same thing, the last one wins, unless its documentation says
// otherwise.
type Option interface {
	FlexOption
	StudioOption
}

type option func(*Function)

func (o option) applyFlex(f *Function)   { o(f) }
func (o option) applyStudio(f *Function) { o(f) }

// Require makes a parameter of an untyped function, one whose input is [Event],
// required. purpose says what the parameter is for, and is part of the 400 if
// it is missing. Give Require once for each parameter. Typed functions use the
// purpose tag instead.
//
//	flexfn.Require("taskSid", "unique ID of the task to update")
//
// A parameter counts as missing if it is absent, null, "" or []; 0, false, {} and
// " " do not. [App.Handle] panics if key is empty, or is Token in a Flex function,
// which only flexfn reads.
func Require(key, purpose string) Option {
	return option(func(f *Function) {
		f.required = append(f.required, openapi.Parameter{Name: key, Purpose: purpose, Required: true})
	})
}

// Deadline sets how long one request of this function may take, instead of the
// app's FlexDeadline or StudioDeadline. At the deadline the handler's ctx ends
// and the caller gets a 504. d must be above zero. A shorter limit of the
// platform still applies; see host.Config.RequestLimit. Callers have limits of
// their own: Studio waits 10 s, voice webhooks 15 s, and TaskRouter's
// assignment callback 5 s. The time runs from the end of the request's headers,
// so a slow body and the check of the caller are part of it.
func Deadline(d time.Duration) Option {
	return option(func(f *Function) {
		f.deadline = d
		if d <= 0 {
			f.fail("the deadline %s must be above zero", d)
		}
	})
}

// Doc describes the function in a sentence, for the console, OpenAPI and the
// TypeScript client. Callers of the function itself do not see it.
func Doc(sentence string) Option {
	return option(func(f *Function) { f.doc = sentence })
}

// Roles restricts a Flex function to callers whose token has at least one of
// roles, such as "supervisor" or "admin", spelt as in Flex. Others get a 403.
// If it is given twice, the lists are joined.
//
// Twilio reports the roles when it is asked about the token, at most
// [Config].TokenTTL ago. For anything finer than roles, ask [TokenOwner] in the
// handler and return an [Error] with status 403.
func Roles(roles ...string) FlexOption {
	return option(func(f *Function) {
		if len(roles) == 0 || slices.Contains(roles, "") {
			f.fail("Roles was given no role, or an empty one")
		}
		f.roles = append(f.roles, roles...)
	})
}

// AdmitGuests also admits callers whose token does not belong to a worker.
// Legacy web chat hands such tokens to anyone who asks, so the function is then
// open to the internet. In the handler, [Owner.Guest] tells guests from
// workers. Without this option guests get a 403. With [Roles] a guest needs one
// of the roles as well.
func AdmitGuests() FlexOption {
	return option(func(f *Function) { f.guests = true })
}

// OpenToAnyone opens a Studio function to anyone on the internet: Twilio's
// signature is not checked. Use it for what must be public, such as a status page,
// and for callers that cannot sign; the handler then has to find out who calls.
// [SigningAccount] is empty in it, and it cannot be combined with [Once] or
// [Deduplicate]. The console and the OpenAPI document mark the function as open.
func OpenToAnyone() StudioOption {
	return option(func(f *Function) { f.open = true })
}

// fail notes a fault in the definition. Neither options nor the Prepare
// functions return errors, so [App.Handle] reports it.
func (f *Function) fail(format string, args ...any) {
	f.fault = errors.Join(f.fault, fmt.Errorf(format, args...))
}

// PrepareFlexFunction makes a function for Flex plugins. The handler runs only if
// the request carries a valid Flex token of a worker, in the parameter Token or
// as Authorization: Bearer; [TokenOwner] returns its owner.
//
// In is a struct whose fields are the parameters, or [Event]. A field with a
// purpose tag is required; docs/parameters.md has the tags and types. Out is a
// struct or map, whose fields become fields of the answer next to "success":
// true; anything else goes under "data". With *[Response] as Out the handler
// chooses status, headers and body. An error is answered as a failure; see
// [Error].
//
// If In has a method Validate() error, it is called once all parameters have
// been read. Its error is answered as 400 with the error's text, so it must be
// meant for the caller; an [Error] chooses its own status.
//
// The handler is called concurrently. Its ctx ends at the deadline, and when the
// caller leaves, except under [Once]. A panic is answered as 500.
//
// A faulty definition, such as a parameter of an impossible type, is reported
// by [App.Handle].
//
// In its simplest form:
//
//	var greet = flexfn.PrepareFlexFunction(func(ctx context.Context, in GreetParams) (GreetReply, error) {
//		return GreetReply{Greeting: "Hello " + in.Name}, nil
//	}, flexfn.Doc("Greets someone."))
func PrepareFlexFunction[In, Out any](handler func(context.Context, In) (Out, error), options ...FlexOption) *Function {
	f := prepare(handler)
	for _, o := range options {
		o.applyFlex(f)
	}
	f.finish()
	return f
}

// PrepareStudioFunction makes a function for Studio flows and Twilio's webhooks.
// The handler runs only if the request carries Twilio's signature, unless
// [OpenToAnyone] is given. In, Out and errors are as for [PrepareFlexFunction].
//
// Studio's HTTP Request widget and Twilio's webhooks send the parameters as a form
// or as JSON; both are signed. A flow reads the fields of the answer as
// widgets.NAME.parsed.field, and takes its Failed branch for a status of 400 and
// above. For a webhook that wants TwiML, use *[Response] as Out, and make it
// with twilioapi.TwiML. The default deadline is 8 s, since Studio gives up
// after 10 s.
//
// Package events makes Studio functions for the events that Twilio sends.
func PrepareStudioFunction[In, Out any](handler func(context.Context, In) (Out, error), options ...StudioOption) *Function {
	f := prepare(handler)
	f.studio = true
	for _, o := range options {
		if d, ok := o.(link.Definition); ok {
			if s, ok := o.(link.Sourced); ok {
				f.source, f.types = s.Source(), s.Types()
			}
			part, err := d.Define()
			if f.part = part; err != nil {
				f.fail("%w", err)
			}
		}
		o.applyStudio(f)
	}
	f.finish()
	return f
}

// prepare makes a function without options. It works out everything that
// depends on the types, so that a request neither inspects types nor fails
// because of the definition.
func prepare[In, Out any](handler func(context.Context, In) (Out, error)) *Function {
	f := &Function{in: reflect.TypeFor[In](), out: reflect.TypeFor[Out]()}
	if handler == nil {
		f.fail("the handler is nil")
		return f
	}
	if containsItself(f.out) {
		f.fail("%s contains itself: an answer cannot have such a type", f.out)
		return f
	}
	if f.keys = keysOfType(f.out); f.keys != nil && f.keys.status {
		f.fail("%s: %w", f.out, errStatusKey)
	}
	if f.in == reflect.TypeFor[Event]() {
		f.bind = func(c *call, vs *values) (any, error) {
			if err := f.checkRequired(c.path, vs); err != nil {
				return nil, err
			}
			return vs.event(f.tokenKey()), nil
		}
		f.invoke = func(ctx context.Context, in any) (any, error) { return handler(ctx, in.(In)) }
		return f
	}
	var err error
	if f.parameters, err = parametersOf(f.in); err != nil {
		f.fail("%w", err)
	}
	f.bind = func(c *call, vs *values) (any, error) {
		in := new(In) // new for each request, so that no value is left over from another one
		if err := bind(c.path, f.parameters, vs, reflect.ValueOf(in).Elem()); err != nil {
			return nil, err
		}
		if len(vs.hints) > 0 {
			c.logSparsely(slog.LevelWarn, "parameters of a request were not read", "hint", strings.Join(vs.hints, "; "))
		}
		if v, ok := any(in).(validator); ok {
			if err := v.Validate(); err != nil {
				return nil, &validationError{err}
			}
		}
		return in, nil
	}
	f.invoke = func(ctx context.Context, in any) (any, error) { return handler(ctx, *in.(*In)) }
	return f
}

// finish completes what depends on the options.
func (f *Function) finish() {
	if f.in != reflect.TypeFor[Event]() && len(f.required) > 0 {
		f.fail("Require is for untyped functions: give the field of %s a purpose tag", f.in)
	}
	if f.once != nil {
		f.once.finish(f)
	}
	for _, p := range f.describeParameters() {
		switch {
		case p.Name == "":
			f.fail("Require names an empty parameter")
		case p.Name == f.tokenKey():
			f.fail("the parameter %s is the Flex token, which only flexfn reads; use flexfn.TokenOwner", p.Name)
		}
	}
}

// tokenKey returns the parameter that the handler does not get: the Flex
// token's.
func (f *Function) tokenKey() string {
	if f.studio {
		return ""
	}
	return "Token"
}

// checkRequired returns an error for the parameters of Require that the request
// lacks.
func (f *Function) checkRequired(path string, vs *values) error {
	var faults *parameterFaults
	for _, p := range f.required {
		if v := vs.get(p.Name); v.missing() {
			if v.kind == absentValue {
				vs.hint(p.Name)
			}
			faults = faults.missing(p.Name, p.Purpose)
		}
	}
	return faults.answer(path, vs)
}

// validationError is what Validate returned; its text is for the caller.
type validationError struct{ error }

func (e *validationError) Unwrap() error { return e.error }

// Describe returns the function's description, without a path. The slices are
// copies.
func (f *Function) Describe() openapi.Function {
	d := openapi.Function{
		Doc: f.doc, Studio: f.studio, Open: f.open, Guests: f.guests, Roles: slices.Clone(f.roles), Access: f.access(),
		Once:       f.once != nil && f.once.always(f),
		Events:     f.source,
		Types:      slices.Clone(f.types),
		Parameters: f.describeParameters(), Input: f.in, Output: f.out,
	}
	if f.in == reflect.TypeFor[Event]() {
		d.Input = nil
	}
	if f.out == reflect.TypeFor[*Response]() {
		d.Output = nil
	}
	return d
}

func (f *Function) describeParameters() []openapi.Parameter {
	list := slices.Clone(f.required)
	for _, p := range f.parameters {
		list = append(list, p.Parameter)
	}
	return list
}

// access describes who may call.
func (f *Function) access() string {
	switch {
	case f.open:
		return "ANYONE (no signature asked for)"
	case f.source == link.JobSource:
		return "the app's Queue; requests get 404"
	case f.studio:
		return "Twilio (signature)"
	case len(f.roles) > 0:
		who := "workers who are " + strings.Join(f.roles, " or ")
		if f.guests {
			who += ", and guests with such a role"
		}
		return who
	case f.guests:
		return "workers and guests"
	}
	return "workers"
}
