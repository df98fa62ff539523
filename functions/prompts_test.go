package functions

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestSchemas checks that each JSON schema has the keys of the file that it is
// for.
func TestSchemas(t *testing.T) {
	for name, file := range map[string]any{"prompts": prompts{}, "canned-responses": canned{}, "schedules": schedules{}} {
		text, err := os.ReadFile("../docs/schemas/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var s schema
		if err := json.Unmarshal(text, &s); err != nil {
			t.Fatal(err)
		}
		delete(s.Properties, "$schema") // of the whole file
		s.compare(t, name, reflect.TypeOf(file))
	}
}

type schema struct {
	Properties map[string]*schema
	Items      *schema
}

func (s *schema) compare(t *testing.T, at string, of reflect.Type) {
	t.Helper()
	switch {
	case of.Kind() == reflect.Slice && s.Items != nil:
		s.Items.compare(t, at, of.Elem())
	case of.Kind() == reflect.Struct:
		var keys []string
		for i := range of.NumField() {
			key, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			keys = append(keys, key)
			if p := s.Properties[key]; p != nil {
				p.compare(t, at+"."+key, of.Field(i).Type)
			}
		}
		slices.Sort(keys)
		if got := slices.Sorted(maps.Keys(s.Properties)); !slices.Equal(got, keys) {
			t.Errorf("the schema of %s has the keys %v, want %v", at, got, keys)
		}
	}
}

// TestFaultyFiles checks that every fault of every file is named, each with its
// variable and path.
func TestFaultyFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	c := Config{
		PromptsFile:         write("p.json", `{"$schema":"prompts.json","voise":"x","greeting":" ","music":"none","offers":["fax"]}`),
		CannedResponsesFile: write("c.json", `{"categories":[{"section":"","responses":[{"label":"a","txt":"b"}]}]}`),
		SchedulesFile:       write("s.json", `{"rules":[{"id":"a","startTime":"8"}],"schedules":[{}]}`),
	}
	err := c.fault()
	if err == nil {
		t.Fatal("no fault was found")
	}
	lines := strings.Split(err.Error(), "\n")
	for _, want := range []string{
		`FLEXFN_PROMPTS_FILE: ` + c.PromptsFile + `: "voise" is unknown (typo?)`,
		`FLEXFN_PROMPTS_FILE: ` + c.PromptsFile + `: "greeting" is empty`,
		`FLEXFN_PROMPTS_FILE: ` + c.PromptsFile + `: "music" is not the address`,
		`FLEXFN_PROMPTS_FILE: ` + c.PromptsFile + `: "fax" in "offers" cannot be offered`,
		`FLEXFN_CANNED_RESPONSES_FILE: ` + c.CannedResponsesFile + `: "categories[0].responses[0].txt" is unknown`,
		`FLEXFN_CANNED_RESPONSES_FILE: ` + c.CannedResponsesFile + `: category 1 has no "section"`,
		`FLEXFN_CANNED_RESPONSES_FILE: ` + c.CannedResponsesFile + `: response 1 of category 1`,
		`FLEXFN_SCHEDULES_FILE: the schedules in ` + c.SchedulesFile + `: rule "a": "8" is not a time of day`,
		`FLEXFN_SCHEDULES_FILE: the schedules in ` + c.SchedulesFile + `: schedule 1 has no name`,
	} {
		if !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, want) }) {
			t.Errorf("no line begins with %s:\n%v", want, err)
		}
	}
	if len(lines) < 9 || strings.Contains(err.Error(), "$schema\" is unknown") {
		t.Errorf("%d lines:\n%v", len(lines), err)
	}
}

// TestOffers checks that the menu has what the file of prompts offers, and
// nothing else.
func TestOffers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "prompts.json")
	for offers, want := range map[string]string{
		`["callback","voicemail"]`: "Press 1 and we will call you back when it is your turn. Press 2 to leave us a message. To keep waiting, press any other key.",
		`["voicemail"]`:            "Press 2 to leave us a message. To keep waiting, press any other key.",
		`["callback"]`:             "Press 1 and we will call you back when it is your turn. To keep waiting, press any other key.",
	} {
		if err := os.WriteFile(path, []byte(`{"offers":`+offers+`}`), 0o600); err != nil {
			t.Fatal(err)
		}
		c := Config{PromptsFile: path}
		if err := c.loadPrompts(); err != nil || c.words.Menu != want {
			t.Errorf("%s: the menu is %q, %v", offers, c.words.Menu, err)
		}
		w := waiting{Config: &c, waitParams: waitParams{Mode: waitChosen, Digits: "1", Task: "WT1"}}
		if asked := len(w.verbs(t.Context())) == 2; asked != strings.Contains(offers, "callback") {
			t.Errorf("%s: 1 leads to the number: %t", offers, asked)
		}
	}
	c := Config{words: prompts{Notice: "wait", Music: "https://example.com/m.mp3"}}
	w := waiting{Config: &c, waitParams: waitParams{Mode: waitLoop, Task: "WT1", SkipGreeting: "true"}}
	if verbs := w.verbs(t.Context()); len(verbs) != 3 || verbs[0].GetName() != "Say" || verbs[2].GetName() != "Redirect" {
		t.Errorf("without offers a caller hears %v", verbs)
	}
}
