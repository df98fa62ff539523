package twiliofake

import (
	"cmp"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// numberRows are the numbers that can be bought and those that an account has.
// See https://www.twilio.com/docs/phone-numbers/api. The stock is computed, in
// the countries of the dialing permissions: local and toll-free numbers and,
// outside of North America, mobile ones. Any other number in E.164 that no
// account has can be bought too, so that a test may choose it.
func numberRows() []resource {
	const (
		account   = "/2010-04-01/Accounts/{account_sid}"
		available = account + "/AvailablePhoneNumbers/{country_code}"
		incoming  = account + "/IncomingPhoneNumbers"
	)
	return []resource{
		{
			name: "available_phone_number_countries", host: "api", can: readOnly, list: "countries", bare: true,
			paths: []string{available + ".json"},
			scope: func(c *call) *collection { return c.countriesWithNumbers() },
			view: func(c *call, rec *record, m map[string]any) {
				m["country"], m["beta"] = rec.get("_name"), false
				path := strings.TrimSuffix(c.itemPath(rec), ".json")
				links := map[string]any{"local": path + "/Local.json", "toll_free": path + "/TollFree.json"}
				if rec.text("_code") != "1" {
					links["mobile"] = path + "/Mobile.json"
				}
				m["subresource_uris"] = links
			},
		},
		{
			name: "available_phone_numbers", host: "api", can: list, bare: true, list: "available_phone_numbers",
			paths: []string{available + "/Local/{phone_number}.json", available + "/Mobile/{phone_number}.json", available + "/TollFree/{phone_number}.json"},
			fields: []field{
				{"address_requirements", text, "none", never},
				{"beta", boolean, false, never},
				{"capabilities", value, nil, never},
				{"friendly_name", text, nil, never},
				{"iso_country", text, nil, never},
			},
			scope: availableNumbers,
			narrow: map[string]func(*call, []string) (func(*record) bool, *apiError){
				"": numbersOffered, "AreaCode": everyItem, "Contains": everyItem, "Beta": everyItem,
				"SmsEnabled": numbersThatCan("sms"), "MmsEnabled": numbersThatCan("mms"), "VoiceEnabled": numbersThatCan("voice"),
			},
			view: func(_ *call, _ *record, m map[string]any) { delete(m, "url"); delete(m, "links") },
		},
		{
			name: "incoming_phone_numbers", host: "api", prefix: "PN",
			paths: []string{
				incoming + "/{sid}.json",
				incoming + "/Local/{sid}.json", incoming + "/Mobile/{sid}.json", incoming + "/TollFree/{sid}.json",
			},
			can: all,
			fields: []field{
				{"address_sid", text, nil, always},
				{"address_requirements", text, "none", never},
				{"api_version", text, "2010-04-01", always},
				{"beta", boolean, false, never},
				{"bundle_sid", text, nil, always},
				{"capabilities", value, map[string]any{"voice": true, "sms": true, "mms": true, "fax": false}, never},
				{"emergency_address_sid", text, nil, always},
				{"emergency_address_status", text, "unregistered", never},
				{"emergency_status", text, "Inactive", always},
				{"friendly_name", text, nil, always},
				{"identity_sid", text, nil, always},
				{"origin", text, "twilio", never},
				{"phone_number", text, nil, onCreate},
				{"sms_application_sid", text, "", always},
				{"sms_fallback_method", text, "POST", always},
				{"sms_fallback_url", text, "", always},
				{"sms_method", text, "POST", always},
				{"sms_url", text, "", always},
				{"status", text, "in-use", never},
				{"status_callback", text, "", always},
				{"status_callback_method", text, "POST", always},
				{"trunk_sid", text, nil, always},
				{"type", text, "local", never},
				{"voice_application_sid", text, "", always},
				{"voice_caller_id_lookup", boolean, false, always},
				{"voice_fallback_method", text, "POST", always},
				{"voice_fallback_url", text, "", always},
				{"voice_method", text, "POST", always},
				{"voice_receive_mode", text, "voice", always},
				{"voice_url", text, "", always},
			},
			filters: []string{"beta", "friendly_name", "origin"},
			narrow: map[string]func(*call, []string) (func(*record) bool, *apiError){
				"": numbersOfType, "PhoneNumber": numbersLike,
			},
			create:  createNumber,
			update:  updateNumber,
			changed: numberChanged,
			view:    viewNumber,
		},
	}
}

// numberTypes are the types of numbers, by the last segment of their paths.
var numberTypes = map[string]string{"Local": "local", "Mobile": "mobile", "TollFree": "toll-free"}

// tollFree are the area codes of toll-free numbers in North America.
var tollFree = []string{"800", "833", "844", "855", "866", "877", "888"}

// areaCode matches an area code of North America.
var areaCode = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[2-9]\d\d$`) })

// typeOf returns the type of a number, which follows from its digits.
func typeOf(number string) string {
	if national, ok := strings.CutPrefix(number, "+1"); ok {
		if len(national) == 10 && slices.Contains(tollFree, national[:3]) {
			return "toll-free"
		}
	}
	return "local"
}

// countriesWithNumbers are the countries of the dialing permissions, with the
// numbers of other types that a state document puts below them.
func (c *call) countriesWithNumbers() *collection {
	in := &collection{byID: map[string]*record{}}
	stored := c.account.child(c.rows.byName["available_phone_number_countries"].home())
	for i, country := range c.where("dialing_permissions_countries", nil) {
		rec := c.store.record(c.rows.byName["available_phone_number_countries"], c.account, country.id)
		codes, _ := country.get("country_codes").([]string)
		rec.set("_name", country.get("name"))
		rec.set("_code", "1")
		if len(codes) > 0 {
			rec.set("_code", codes[0])
		}
		if same := stored.find(rec.id, nil); same != nil {
			rec.below = same.below
		}
		rec.seq = i + 1
		in.order = append(in.order, slot{rec.seq, rec})
		in.byID[rec.id] = rec
	}
	return in
}

// availableNumbers is the stock of a country and a type, as far as AreaCode and
// Contains ask for it. The other parameters of a place have no effect.
func availableNumbers(c *call) *collection {
	in := &collection{}
	kind := numberTypes[c.node.segment]
	code := c.parent.text("_code")
	for i, number := range c.stock(code, kind, c.query.Get("AreaCode"), c.query.Get("Contains")) {
		rec := c.store.record(c.kind, c.parent, number)
		rec.setAll(map[string]any{
			"friendly_name": national(number), "iso_country": c.parent.id,
			"capabilities": map[string]any{"voice": true, "sms": code == "1" || kind == "mobile", "mms": code == "1"},
		})
		rec.seq = i + 1
		in.order = append(in.order, slot{rec.seq, rec})
	}
	return in
}

// numbersOffered refuses a search for an area code that is not one, and for a
// type that the country does not have. A country without dialing permissions has
// none.
func numbersOffered(c *call, _ []string) (func(*record) bool, *apiError) {
	if area := c.query.Get("AreaCode"); area != "" && !areaCode().MatchString(area) {
		return nil, invalid("Invalid value for parameter AreaCode: %.100q", area)
	}
	if code := c.parent.text("_code"); code == "" || code == "1" && c.node.segment == "Mobile" {
		return nil, notFound(c.path)
	}
	return everyItem(c, nil)
}

// numbersThatCan keeps the numbers with or without a capability.
func numbersThatCan(what string) func(*call, []string) (func(*record) bool, *apiError) {
	return func(_ *call, values []string) (func(*record) bool, *apiError) {
		want, ok := boolean.parse(values)
		if !ok {
			return nil, invalid("Invalid value for parameter %sEnabled: %.100q", pascal(what), values[0])
		}
		return func(rec *record) bool {
			can, _ := rec.get("capabilities").(map[string]any)
			return can[what] == want
		}, nil
	}
}

// maxStock is how many numbers a search finds at most.
const maxStock = 50

// stock returns numbers of a calling code and a type that no account has, with
// an area code and a pattern if they are not empty. In a pattern, * is any
// digit, and letters are those of a telephone's keys.
//
// National numbers have ten digits here. A pattern that is shorter stands after
// the area code, unless it begins with + and the calling code.
func (c *call) stock(code, kind, area, pattern string) []string {
	digits := []byte("**********")
	put := func(at int, s string) bool {
		next := slices.Clone(digits)
		for i := range len(s) {
			switch {
			case s[i] == '*':
			case at+i >= len(digits) || digits[at+i] != '*' && digits[at+i] != s[i]:
				return false
			default:
				next[at+i] = s[i]
			}
		}
		digits = next
		return true
	}
	at := 3
	if rest, ok := strings.CutPrefix(pattern, "+"+code); ok {
		pattern, at = rest, 0
	}
	if pattern = keypad(pattern); len(pattern) > len(digits)-at {
		at = max(len(digits)-len(pattern), 0)
	}
	if !put(0, area) || !put(at, pattern) {
		return nil
	}
	// What is not asked for has a usual value, as far as that fits.
	areas := map[string][]string{"local": {"2"}, "mobile": {"7"}, "toll-free": {"800"}}[kind]
	if code == "1" {
		areas = map[string][]string{"local": {"415"}, "toll-free": tollFree}[kind]
	}
	fits := slices.ContainsFunc(areas, func(a string) bool { return put(0, a) })
	if given := string(digits[:3]); !fits && (kind != "local" || slices.Contains(tollFree, given)) {
		return nil
	}
	for i, d := range []byte("555") {
		if digits[3+i] == '*' {
			digits[3+i] = d
		}
	}
	free := 0
	for _, d := range digits {
		if d == '*' {
			free++
		}
	}
	limit := 1
	for range min(free, 4) {
		limit *= 10
	}
	taken := c.numbersTaken()
	var found []string
	for n := 0; n < limit && len(found) < maxStock; n++ {
		rest, number := strconv.Itoa((n+100)%limit), slices.Clone(digits)
		for i := len(number) - 1; i >= 0; i-- {
			if number[i] == '*' {
				number[i] = '0'
				if rest != "" {
					number[i], rest = rest[len(rest)-1], rest[:len(rest)-1]
				}
			}
		}
		if s := "+" + code + string(number); !taken[s] {
			found = append(found, s)
		}
	}
	return found
}

// keypad writes a pattern with digits and * only.
func keypad(pattern string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case '0' <= r && r <= '9' || r == '*':
			return r
		case 'a' <= r && r <= 'z':
			r += 'A' - 'a'
			fallthrough
		case 'A' <= r && r <= 'Z':
			return rune("22233344455566677778889999"[r-'A'])
		}
		return -1
	}, pattern)
}

// numbersTaken are the numbers that accounts have, whichever it is: a number
// belongs to one.
func (c *call) numbersTaken() map[string]bool {
	taken := map[string]bool{}
	for acc := range c.store.accounts().all() {
		for rec := range acc.child("api/IncomingPhoneNumbers").all() {
			taken[rec.text("phone_number")] = true
		}
	}
	return taken
}

// createNumber buys a number, or any number of an area code. The codes are in
// https://www.twilio.com/docs/api/errors: 21421 is for a number that is not one,
// 21422 for one that an account has already or that is of another type than the
// path, 21451 for an area code that is not one, 21452 for one without numbers,
// and 21457 for an area code where the type is in the path.
func createNumber(c *call, rec *record) *apiError {
	number, area := rec.text("phone_number"), c.form.Get("AreaCode")
	kind := numberTypes[c.node.segment]
	switch {
	case number == "" && area == "":
		return invalid("Missing required parameter PhoneNumber or AreaCode in the post body")
	case number != "":
	case kind != "":
		return refuse(http.StatusBadRequest, 21457, "AreaCode is not supported on %s; use PhoneNumber", c.path)
	case !areaCode().MatchString(area):
		return refuse(http.StatusBadRequest, 21451, "%.40q is not a valid North American area code", area)
	default:
		stock := c.stock("1", typeOf("+1"+area+"5550100"), area, "")
		if len(stock) == 0 {
			return refuse(http.StatusBadRequest, 21452, "No phone numbers found in area code %s", area)
		}
		number = stock[0]
		rec.set("phone_number", number)
	}
	own := typeOf(number)
	if !e164().MatchString(number) {
		return refuse(http.StatusBadRequest, 21421, "PhoneNumber %s is invalid", number)
	}
	// Only North American numbers tell their type.
	if kind != "" && kind != own && strings.HasPrefix(number, "+1") || c.numbersTaken()[number] {
		return refuse(http.StatusBadRequest, 21422, "%s is not available", number)
	}
	rec.set("type", cmp.Or(kind, own))
	if rec.text("friendly_name") == "" {
		rec.set("friendly_name", national(number))
	}
	return nil
}

// updateNumber moves a number to another account of the same family if the
// request says so: numberChanged does it, once the number has changed. See
// https://www.twilio.com/docs/iam/api/subaccounts#exchanging-numbers.
func updateNumber(c *call, rec *record) *apiError {
	sid := c.form.Get("AccountSid")
	if sid == "" || sid == c.account.id {
		return nil
	}
	family := func(acc *record) string { return cmp.Or(acc.text("owner_account_sid"), acc.id) }
	to := c.store.accounts().find(sid, nil)
	if to == nil || family(to) != family(c.account) {
		return invalid("AccountSid %.40s is neither the account nor one of its sub-accounts", sid)
	}
	rec.set("_to", sid)
	return nil
}

// numberChanged moves a number to the account that an update named, and removes
// one that the account no longer has from the senders of messaging services.
func numberChanged(c *call, before, after *record) {
	if after == nil || after.text("_to") != "" {
		for _, sender := range c.where("messaging_phone_numbers", map[string]any{"sid": before.id}) {
			c.drop(sender)
		}
	}
	if after == nil || after.text("_to") == "" {
		return
	}
	c.store.remove(after)
	after.owner = c.store.accounts().find(after.text("_to"), nil)
	after.drop("_to")
	c.store.add(after)
}

// numbersOfType keeps the numbers of the type that the path names.
func numbersOfType(c *call, _ []string) (func(*record) bool, *apiError) {
	kind := numberTypes[c.node.segment]
	return func(rec *record) bool { return kind == "" || rec.text("type") == kind }, nil
}

// numbersLike keeps numbers that contain a pattern, in which * is any digit.
func numbersLike(_ *call, values []string) (func(*record) bool, *apiError) {
	var patterns []*regexp.Regexp
	for _, v := range values {
		patterns = append(patterns, regexp.MustCompile(strings.ReplaceAll(keypad(v), "*", `\d`)))
	}
	return func(rec *record) bool {
		return slices.ContainsFunc(patterns, func(p *regexp.Regexp) bool { return p.MatchString(rec.text("phone_number")) })
	}, nil
}

// viewNumber shows a number under the path of all numbers, whatever its type.
func viewNumber(c *call, rec *record, m map[string]any) {
	path := "/2010-04-01/Accounts/" + rec.account().id + "/IncomingPhoneNumbers/" + rec.id
	m["uri"] = path + ".json"
	if _, ok := m["subresource_uris"]; ok {
		m["subresource_uris"] = map[string]any{"assigned_add_ons": path + "/AssignedAddOns.json"}
	}
}
