// Package kind defines the kinds that a parameter's kind tag can name. The
// answer to a wrong value, the OpenAPI document, the TypeScript client and the
// console of "flexfn dev" all derive from its table.
package kind

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/flexfn/flexfn/internal/sid"
)

// A Kind restricts a string.
type Kind struct {
	Name     string            // the kind tag's value
	Check    func(string) bool // reports whether a string is of this kind
	Expected string            // completes "expected …" in the answer to a string that is not
	Example  string            // a string of this kind that the fake Twilio accepts
	Format   string            // the JSON schema's format
	Note     string            // what the TypeScript client calls the format in a comment
	Pattern  string            // the JSON schema's pattern, equivalent to Check
}

const (
	e164        = `^\+[1-9][0-9]{1,14}$` // ITU-T E.164, section 6
	e164Example = "+15550100001"
)

// named lists the kinds with a name. Kinds of SIDs are named by their prefixes
// instead; see [SID].
var named = []Kind{
	{
		Name:     "e164",
		Check:    func(s string) bool { return e164Pattern().MatchString(s) },
		Expected: "a telephone number in E.164 form, such as " + e164Example,
		Example:  e164Example,
		Format:   "e164",
		Note:     "E.164",
		Pattern:  e164,
	},
}

// e164Pattern is compiled when it is first used, not by every program that starts.
var e164Pattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(e164) })

// SID returns the kind of SIDs that begin with one of prefixes.
func SID(prefixes ...string) Kind {
	return Kind{
		Name:     strings.Join(prefixes, "|"),
		Check:    func(s string) bool { return sid.Valid(s, prefixes...) },
		Expected: "a SID: " + sid.Words(prefixes...),
		Example:  prefixes[0] + strings.Repeat("0", 31) + "1",
		Format:   "sid",
		Note:     "SID",
		Pattern:  sid.Pattern(prefixes...),
	}
}

// All returns every kind: those with a name, and examples of SIDs with one
// prefix and with two.
func All() []Kind {
	return append(slices.Clone(named), SID("CF"), SID("CF", "WT"))
}

// Of returns the kind that a tag names. The error for an unknown one lists the
// names.
func Of(tag string) (Kind, error) {
	var names []string
	for _, k := range named {
		if k.Name == tag {
			return k, nil
		}
		names = append(names, k.Name)
	}
	prefixes := strings.Split(tag, "|")
	for _, p := range prefixes {
		if !sid.Prefix(p) {
			return Kind{}, fmt.Errorf("the kind %q is unknown: write SID prefixes such as CF or CF|WT, or %s", tag, strings.Join(names, " or "))
		}
	}
	return SID(prefixes...), nil
}

// NoteOf returns the note for a JSON schema's format, or "" if no kind has that
// format.
func NoteOf(format string) string {
	for _, k := range All() {
		if k.Format == format {
			return k.Note
		}
	}
	return ""
}
