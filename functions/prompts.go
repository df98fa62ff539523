package functions

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
)

// prompts are the texts that callers hear in the queue, from the JSON file in
// FLEXFN_PROMPTS_FILE. Missing keys keep their defaults. All callers hear the
// same texts, in one language. The file is read when the program starts.
type prompts struct {
	// Voice and Language are Twilio's names, such as "Polly.Joanna" and "en-US".
	Voice    string `json:"voice"`
	Language string `json:"language,omitempty"`
	// Music is the URL of the audio that plays in between.
	Music string `json:"music"`

	Greeting string `json:"greeting"` // once, at the beginning
	Offer    string `json:"offer"`    // before the music: star leads to the menu
	Notice   string `json:"notice"`   // before the music, when nothing can be offered
	Menu     string `json:"menu"`     // 1 for a callback, 2 for a voicemail

	ConfirmNumber     string `json:"confirmNumber"`  // 1 for the caller's own number, 2 for another
	EnterNumber       string `json:"enterNumber"`    // then the pound key
	YouEntered        string `json:"youEntered"`     // followed by the number
	ConfirmEntered    string `json:"confirmEntered"` // 1 when it is right, 2 to enter it again
	NoNumber          string `json:"noNumber"`
	CallbackRequested string `json:"callbackRequested"` // then the call ends

	LeaveMessage string `json:"leaveMessage"` // before the beep; star ends the message
	NoMessage    string `json:"noMessage"`
	MessageSaved string `json:"messageSaved"` // then the call ends
	Goodbye      string `json:"goodbye"`      // after repeated silence

	Failed string `json:"failed"` // a request failed; the caller keeps waiting

	// Offers are what a caller may choose instead of waiting: a callback with
	// 1, a voicemail with 2. Menu has to name the same.
	Offers []string `json:"offers"`
}

// The choices in the menu.
const (
	offerCallback  = "callback"
	offerVoicemail = "voicemail"
)

func (p prompts) offers(what string) bool { return slices.Contains(p.Offers, what) }

// defaultPrompts returns flexfn's own texts. Language is empty, so that Twilio
// uses the voice's. The music is one of Twilio's samples.
func defaultPrompts() prompts {
	return prompts{
		Voice: "Polly.Joanna",
		Music: "http://com.twilio.music.classical.s3.amazonaws.com/BusyStrings.mp3",

		Greeting: "Thanks for calling. All of our people are busy right now, and you have a place in line.",
		Offer:    "If you would rather not wait on the phone, press star to hear what else we can do.",
		Notice:   "Please hold on. Someone will be with you as soon as possible.",
		Menu:     menuOf(offerCallback, offerVoicemail),
		Offers:   []string{offerCallback, offerVoicemail},

		ConfirmNumber:     "Press 1 if we should call the number that you are calling from. Press 2 to give us another number.",
		EnterNumber:       "Enter the number, beginning with the country code, and then press the pound key.",
		YouEntered:        "This is the number that we have:",
		ConfirmEntered:    "Press 1 if that is right. Press 2 to enter it again.",
		NoNumber:          "We did not get a number that we can call. You still have your place in line.",
		CallbackRequested: "All right. We will call you back when it is your turn. Goodbye.",

		LeaveMessage: "Please tell us after the beep how we can help you. Press star when you are done.",
		NoMessage:    "We could not hear a message.",
		MessageSaved: "Thank you. We have your message, and someone will get back to you. Goodbye.",
		Goodbye:      "We still could not hear you. Please call us again. Goodbye.",

		Failed: "Sorry, that did not work. You still have your place in line.",
	}
}

// menuOf returns flexfn's own words for a menu with these offers.
func menuOf(offers ...string) string {
	menu := ""
	if slices.Contains(offers, offerCallback) {
		menu += "Press 1 and we will call you back when it is your turn. "
	}
	if slices.Contains(offers, offerVoicemail) {
		menu += "Press 2 to leave us a message. "
	}
	return menu + "To keep waiting, press any other key."
}

// check returns an error for prompts that Twilio could not play. It goes
// through all fields by reflection, so that a prompt added later is checked
// too. Only language and offers may be empty.
func (p prompts) check() error {
	var faults []error
	for _, offer := range p.Offers {
		if offer != offerCallback && offer != offerVoicemail {
			faults = append(faults, fmt.Errorf("%q in \"offers\" cannot be offered: write %s, %s, or both", offer, offerCallback, offerVoicemail))
		}
	}
	v := reflect.ValueOf(p)
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if v.Field(i).Kind() != reflect.String {
			continue
		}
		if name != "language" && strings.TrimSpace(v.Field(i).String()) == "" {
			faults = append(faults, fmt.Errorf("%q is empty: leave it out for the default", name))
		}
		if v.Field(i).Len() > 4096 { // Twilio's limit for Say
			faults = append(faults, fmt.Errorf("%q is longer than 4096 bytes", name))
		}
	}
	if u, err := url.Parse(p.Music); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		faults = append(faults, fmt.Errorf("\"music\" is not the address of a sound: write one such as https://example.com/music.mp3"))
	}
	return errors.Join(faults...)
}

// defaultCanned returns a few examples, so that the plugin's list is not empty
// at first.
func defaultCanned() canned {
	return canned{Categories: []cannedCategory{
		{Section: "Opening", Responses: []cannedResponse{
			{Label: "Hello", Text: "Hello! How can I help you today?"},
			{Label: "One moment", Text: "Let me look into that. It will take me a minute or two."},
			{Label: "More detail", Text: "Could you tell me a little more about what happened?"},
		}},
		{Section: "Closing", Responses: []cannedResponse{
			{Label: "Anything else", Text: "Is there anything else that I can do for you?"},
			{Label: "Goodbye", Text: "Thanks for getting in touch. Have a good day!"},
		}},
	}}
}

// check returns an error for responses that agents could not use. It reports
// all faults, with positions counted from 1.
func (c canned) check() error {
	var faults []error
	if len(c.Categories) == 0 {
		faults = append(faults, errors.New(`it has no "categories"`))
	}
	for i, category := range c.Categories {
		if strings.TrimSpace(category.Section) == "" {
			faults = append(faults, fmt.Errorf(`category %d has no "section"`, i+1))
		}
		for j, response := range category.Responses {
			if strings.TrimSpace(response.Label) == "" || strings.TrimSpace(response.Text) == "" {
				faults = append(faults, fmt.Errorf(`response %d of category %d has no "label" or no "text"`, j+1, i+1))
			}
		}
	}
	return errors.Join(faults...)
}

// maxFile bounds the files read at the start, in bytes. It guards against a
// wrong path: the longest prompts are 74 KB.
const maxFile = 1 << 20

// readFile reads a JSON file into into, which holds the defaults. Unknown keys
// are errors, since they are probably typos. The error names all faults, each on
// a line with the path. into may be changed even if it fails.
func readFile(path string, into interface{ check() error }) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	switch {
	case err != nil:
		return err
	case len(text) > maxFile:
		return fmt.Errorf("%s: it is longer than %d bytes", path, maxFile)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return each(path, errors.Join(append(unknownKeys(text, reflect.TypeOf(into).Elem(), ""), into.check())...))
}

// each puts what before every fault that err joins, since an operator may see
// only one of the lines. It is nil if err is.
func each(what string, err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	switch {
	case err == nil:
		return nil
	case !ok:
		return fmt.Errorf("%s: %w", what, err)
	}
	var faults []error
	for _, fault := range joined.Unwrap() {
		faults = append(faults, each(what, fault))
	}
	return errors.Join(faults...)
}

// unknownKeys returns an error for every key of a JSON value that its type t
// lacks. at is where the value stands in the file.
func unknownKeys(text json.RawMessage, t reflect.Type, at string) (faults []error) {
	var object map[string]json.RawMessage
	var list []json.RawMessage
	switch {
	case t.Kind() == reflect.Slice && json.Unmarshal(text, &list) == nil:
		for i, item := range list {
			faults = append(faults, unknownKeys(item, t.Elem(), fmt.Sprintf("%s[%d]", at, i))...)
		}
	case t.Kind() == reflect.Struct && json.Unmarshal(text, &object) == nil:
		known := map[string]reflect.Type{"$schema": reflect.TypeFor[string]()} // for editors
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			known[name] = t.Field(i).Type
		}
		for _, key := range slices.Sorted(maps.Keys(object)) {
			if field, ok := known[key]; ok {
				faults = append(faults, unknownKeys(object[key], field, strings.TrimPrefix(at+"."+key, "."))...)
			} else {
				faults = append(faults, fmt.Errorf("%q is unknown (typo?): the keys are %s", strings.TrimPrefix(at+"."+key, "."),
					strings.Join(slices.Sorted(maps.Keys(known)), ", ")))
			}
		}
	}
	return faults
}
