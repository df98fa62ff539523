package twiliofake

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/flexfn/flexfn/internal/testing/blind"
)

var steps = flag.Int("steps", 3000, "how many operations TestSequences carries out")

// TestSequences carries out operations of both layers in random order.
//
//	go test -run TestSequences -steps 1000000 -timeout 0 ./twiliofake
func TestSequences(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	done := 0
	m := newListModel(t, func(n int) int { return dice.IntN(n) })
	for ; done < *steps && !t.Failed(); done++ {
		m.step(t)
	}
	m.checkAll(t)
	t.Logf("%d operations: %v", done, m.counts)
}

// FuzzSequences carries out the operations that the bytes choose.
func FuzzSequences(f *testing.F) {
	for _, seed := range []string{"", "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d", "\x00\x07\x00\x00\x08\x00\x00\x09", "create, remove and page"} {
		f.Add([]byte(seed))
	}
	shared := newListModel(f, nil) // a fake takes longer than the operations
	blind.Fuzz(f, func(t *testing.T, choices []byte) {
		at := 0
		m := shared.again(t, func(n int) int {
			if at == len(choices) {
				return 0
			}
			at++
			return int(choices[at-1]) % n
		})
		for at < min(len(choices), 400) {
			m.step(t)
		}
		m.checkAll(t)
	})
}

// A listKind describes lists that listModel creates items in.
type listKind struct {
	path, key string
	id        string // the identity's key; sid if empty
	form      string // of a create; %d makes it unique
	update    string
	unique    bool // a second create with the form is refused
	below     []*listKind
	newest    bool // lists begin with the newest
}

// listKinds has kinds of both layers, of the API of 2010 and of the others,
// with children and without, sorted by creation, key and index, oldest and
// newest first.
var listKinds = []*listKind{
	{path: "sync.twilio.com/v1/Services", key: "services", form: "FriendlyName=x", update: "FriendlyName=y", below: []*listKind{
		{path: "Documents", key: "documents", form: "UniqueName=d%d", update: "Data={}", unique: true},
		{path: "Lists", key: "lists", form: "UniqueName=l%d", unique: true, below: []*listKind{
			{path: "Items", key: "items", id: "index", form: "Data={}", update: "Data={}"},
		}},
		{path: "Maps", key: "maps", form: "UniqueName=m%d", unique: true, below: []*listKind{
			{path: "Items", key: "items", id: "key", form: "Data={}&Key=%d", update: "Data={}", unique: true},
		}},
	}},
	{path: "verify.twilio.com/v2/Services", key: "services", form: "FriendlyName=x", update: "FriendlyName=y", below: []*listKind{
		{path: "RateLimits", key: "rate_limits", form: "UniqueName=r%d", update: "Description=d", unique: true, below: []*listKind{
			{path: "Buckets", key: "buckets", form: "Max=1&Interval=1", update: "Max=2"},
		}},
	}},
	{path: "trunking.twilio.com/v1/Trunks", key: "trunks", form: "FriendlyName=x", update: "FriendlyName=y", below: []*listKind{
		{path: "OriginationUrls", key: "origination_urls", form: "Weight=1&Priority=1&Enabled=true&FriendlyName=x&SipUrl=sip:a@b.example", update: "Weight=2"},
	}},
	{path: "chat.twilio.com/v1/Services/" + DevelopmentChatServiceSID + "/Channels", key: "channels", form: "FriendlyName=x", update: "FriendlyName=y"},
	{
		path: "taskrouter.twilio.com/v1/Workspaces/" + DevelopmentWorkspaceSID + "/Tasks", key: "tasks",
		form: "WorkflowSid=WW00000000000000000000000000000001", update: "Priority=2",
	},
	{
		path: "api.twilio.com/2010-04-01/Accounts/" + DevelopmentAccountSID + "/Messages", key: "messages",
		form: "To=%%2B15005550006&From=whatsapp:%%2B15005550001&Body=%d", update: "Body=", newest: true,
	},
	{path: "api.twilio.com/2010-04-01/Accounts/" + DevelopmentAccountSID + "/Queues", key: "queues", form: "FriendlyName=q%d", update: "MaxSize=9", unique: true},
}

// A listModel is a fake and what must be in its lists: what was created is
// listed once and in order, what was removed is gone with all that was below
// it, and pages neither repeat nor hide items.
type listModel struct {
	fake   *Twilio
	state  State // at the start
	roots  []*listNode
	dice   func(n int) int
	made   int
	counts map[string]int
}

type listNode struct {
	kind  *listKind
	path  string
	items []*listItem
}

type listItem struct {
	id, path, form string
	lists          []*listNode
}

func newListModel(t testing.TB, dice func(n int) int) *listModel {
	m := &listModel{fake: freshFake(t), dice: dice, counts: map[string]int{}}
	m.state = m.fake.State()
	m.adopt(t)
	return m
}

// again is a model of the same fake, which is reset.
func (m *listModel) again(t testing.TB, dice func(n int) int) *listModel {
	if err := m.fake.SetState(m.state); err != nil {
		t.Fatal(err)
	}
	next := &listModel{fake: m.fake, state: m.state, dice: dice, counts: map[string]int{}}
	next.adopt(t)
	return next
}

// adopt takes over what is in the lists.
func (m *listModel) adopt(t testing.TB) {
	for _, k := range listKinds {
		l := &listNode{kind: k, path: k.path}
		for _, id := range m.pages(t, l, 1000, nil) {
			l.items = append(l.items, newListItem(l, id, ""))
		}
		m.roots = append(m.roots, l)
	}
}

func newListItem(in *listNode, id, form string) *listItem {
	item := &listItem{id: id, path: in.path + "/" + id, form: form}
	for _, k := range in.kind.below {
		item.lists = append(item.lists, &listNode{kind: k, path: item.path + "/" + k.path})
	}
	return item
}

// url returns the URL of a path.
func listURL(path string) string {
	if strings.HasPrefix(path, "api.") {
		path += ".json"
	}
	return "https://" + path
}

// pages reads a list page by page and returns the identities. between runs
// after each page but the last.
func (m *listModel) pages(t testing.TB, l *listNode, size int, between func()) []string {
	t.Helper()
	var ids []string
	for next := listURL(l.path) + "?PageSize=" + strconv.Itoa(size); ; {
		status, _, body := callFake(t, m.fake, "GET", next, "")
		if status != 200 {
			t.Fatalf("GET %s: %d %v", next, status, body)
		}
		items, _ := body[l.kind.key].([]any)
		if len(items) > size {
			t.Fatalf("GET %s: %d items on a page", next, len(items))
		}
		for _, item := range items {
			ids = append(ids, fmt.Sprint(item.(map[string]any)[cmp.Or(l.kind.id, "sid")]))
		}
		meta, ok := body["meta"].(map[string]any)
		if next, _ = meta["next_page_url"].(string); !ok {
			if next, _ = body["next_page_uri"].(string); next != "" {
				next = "https://api.twilio.com" + next
			}
		}
		if next == "" {
			return ids
		}
		if between != nil {
			between()
		}
	}
}

// lists returns all lists that there are.
func (m *listModel) lists() []*listNode {
	var all []*listNode
	var add func([]*listNode)
	add = func(lists []*listNode) {
		for _, l := range lists {
			all = append(all, l)
			for _, item := range l.items {
				add(item.lists)
			}
		}
	}
	add(m.roots)
	return all
}

// step carries out one operation.
func (m *listModel) step(t testing.TB) {
	t.Helper()
	all := m.lists()
	l := all[m.dice(len(all))]
	do := []string{"create", "create", "create", "create", "conflict", "update", "update", "remove", "remove", "list", "list", "page and remove", "page and create", "load"}[m.dice(14)]
	switch {
	case len(all) > 60:
		l, do = m.roots[m.dice(len(m.roots))], "remove"
	case len(l.items) > 12:
		do = "remove"
	}
	if len(l.items) == 0 && do != "load" && do != "list" {
		do = "create"
	}
	m.counts[do]++
	switch do {
	case "create":
		m.create(t, l)
	case "conflict":
		if item := l.items[m.dice(len(l.items))]; l.kind.unique && item.form != "" {
			if status, _, body := callFake(t, m.fake, "POST", listURL(l.path), item.form); status != 409 && status != 400 {
				t.Fatalf("POST %s %s a second time: %d %v", l.path, item.form, status, body)
			}
		}
	case "update":
		if item := l.items[m.dice(len(l.items))]; l.kind.update != "" {
			if status, _, body := callFake(t, m.fake, "POST", listURL(item.path), l.kind.update); status != 200 {
				t.Fatalf("POST %s: %d %v", item.path, status, body)
			}
		}
	case "remove":
		m.remove(t, l, m.dice(len(l.items)))
	case "list":
		m.check(t, l)
	case "page and remove":
		stay := l.ids()
		got := m.pages(t, l, 1+m.dice(4), func() {
			if len(l.items) > 0 {
				i := m.dice(len(l.items))
				gone := l.items[i].id
				m.remove(t, l, i)
				stay = slices.DeleteFunc(stay, func(id string) bool { return id == gone })
			}
		})
		if seen := slices.DeleteFunc(slices.Clone(got), func(id string) bool { return !slices.Contains(stay, id) }); !slices.Equal(seen, stay) {
			t.Fatalf("%s: pages listed %v while others were removed; %v stayed", l.path, got, stay)
		}
		noRepeats(t, l, got)
	case "page and create":
		before, room := l.ids(), 5
		got := m.pages(t, l, 1+m.dice(4), func() {
			if room--; room > 0 {
				m.create(t, l)
			}
		})
		if seen := slices.DeleteFunc(slices.Clone(got), func(id string) bool { return !slices.Contains(before, id) }); !slices.Equal(seen, before) {
			t.Fatalf("%s: pages listed %v while others were created, want %v among them", l.path, got, before)
		}
		noRepeats(t, l, got)
	case "load":
		var b bytes.Buffer
		if err := m.fake.Save(&b); err != nil {
			t.Fatal(err)
		}
		if err := m.fake.Load(&b); err != nil {
			t.Fatal(err)
		}
	}
}

func (m *listModel) create(t testing.TB, l *listNode) {
	t.Helper()
	m.made++
	form := l.kind.form
	if strings.Contains(form, "%d") {
		form = fmt.Sprintf(form, m.made)
	}
	status, _, body := callFake(t, m.fake, "POST", listURL(l.path), form)
	if status != 201 && (status != 200 || !strings.HasPrefix(l.path, "api.")) {
		t.Fatalf("POST %s %s: %d %v", l.path, form, status, body)
	}
	item := newListItem(l, fmt.Sprint(body[cmp.Or(l.kind.id, "sid")]), form)
	if slices.Contains(l.ids(), item.id) {
		t.Fatalf("POST %s: %s exists", l.path, item.id)
	}
	l.items = append(l.items, item)
	if l.kind.newest {
		l.items = slices.Insert(l.items[:len(l.items)-1], 0, item)
	}
	if l.kind.id == "key" {
		slices.SortFunc(l.items, func(a, b *listItem) int { return cmp.Compare(a.id, b.id) })
	}
}

// remove deletes an item. It, its lists and their items are 404 then.
func (m *listModel) remove(t testing.TB, l *listNode, i int) {
	t.Helper()
	item := l.items[i]
	if status, _, body := callFake(t, m.fake, "DELETE", listURL(item.path), ""); status != 204 {
		t.Fatalf("DELETE %s: %d %v", item.path, status, body)
	}
	l.items = slices.Delete(l.items, i, i+1)
	gone := []string{item.path}
	for _, below := range item.lists {
		gone = append(gone, below.path)
		for _, item := range below.items {
			gone = append(gone, item.path)
		}
	}
	for _, path := range gone {
		if status, _, body := callFake(t, m.fake, "GET", listURL(path), ""); status != 404 {
			t.Fatalf("GET %s: %d %v after %s was deleted", path, status, body, item.path)
		}
	}
}

// check reads a list in pages, and one of its pages by number.
func (m *listModel) check(t testing.TB, l *listNode) {
	t.Helper()
	size := 1 + m.dice(5)
	want := l.ids()
	if got := m.pages(t, l, size, nil); !slices.Equal(got, want) {
		t.Fatalf("%s: listed %v, want %v", l.path, got, want)
	}
	number := m.dice(4)
	_, _, body := callFake(t, m.fake, "GET", fmt.Sprintf("%s?PageSize=%d&Page=%d", listURL(l.path), size, number), "")
	from := min(number*size, len(want))
	items, _ := body[l.kind.key].([]any)
	if n := min(size, len(want)-from); len(items) != n {
		t.Fatalf("%s: page %d of %d has %d items, want %d", l.path, number, size, len(items), n)
	}
	for i, item := range items {
		if id := fmt.Sprint(item.(map[string]any)[cmp.Or(l.kind.id, "sid")]); id != want[from+i] {
			t.Fatalf("%s: page %d of %d has %s, want %s", l.path, number, size, id, want[from+i])
		}
	}
}

// checkAll reads every list, and compares the state document with them.
func (m *listModel) checkAll(t testing.TB) {
	t.Helper()
	have := map[string]int{}
	for _, l := range m.lists() {
		m.check(t, l)
		have[l.kind.path] += len(l.items)
	}
	state := m.fake.State()
	for path, kind := range map[string]string{
		"Documents": "sync_documents", "RateLimits": "verify/v2/Services/RateLimits", "Buckets": "verify/v2/Services/RateLimits/Buckets",
		"OriginationUrls": "trunking/v1/Trunks/OriginationUrls",
	} {
		if n := len(state.Resources[kind]); n != have[path] {
			t.Fatalf("the state has %d of %s, want %d; it has %v", n, kind, have[path], slices.Sorted(maps.Keys(state.Resources)))
		}
	}
}

func (l *listNode) ids() []string {
	var ids []string
	for _, item := range l.items {
		ids = append(ids, item.id)
	}
	return ids
}

func noRepeats(t testing.TB, l *listNode, ids []string) {
	t.Helper()
	slices.Sort(ids)
	if n := len(ids); len(slices.Compact(ids)) != n {
		t.Fatalf("%s: pages repeat an item: %v", l.path, ids)
	}
}
