package twiliofake

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// messagingRows are the messaging services and their senders. A service can
// send only once it has a sender; see createMessage. See
// https://www.twilio.com/docs/messaging/api/service-resource.
func messagingRows() []resource {
	const service = "/v1/Services/{service_sid}"
	// A number's or short code's SID also identifies it as a sender.
	once := []unique{{field: "sid", code: alreadySender}}
	return []resource{
		{
			// All settings except validity_period are only stored, and have no
			// effect.
			name: "messaging_services", host: "messaging", prefix: "MG", table: true, can: all,
			paths: []string{"/v1/Services/{sid}"},
			fields: []field{
				{"area_code_geomatch", boolean, true, never},
				{"fallback_method", text, "POST", never},
				{"fallback_to_long_code", boolean, true, never},
				{"inbound_method", text, "POST", never},
				{"mms_converter", boolean, true, never},
				{"scan_message_content", text, "inherit", never},
				{"smart_encoding", boolean, true, never},
				{"sticky_sender", boolean, true, never},
				{"synchronous_validation", boolean, false, never},
				{"us_app_to_person_registered", boolean, false, never},
				{"use_inbound_webhook_on_number", boolean, false, never},
				{"usecase", text, "undeclared", never},
				{"validity_period", integer, maxValidity, never},
			},
			create: saveMessagingService,
			update: saveMessagingService,
		},
		{
			name: "messaging_phone_numbers", host: "messaging", table: true, can: create | fetch | remove | list,
			paths: []string{service + "/PhoneNumbers/{sid}"}, unique: once,
			fields: []field{
				{"capabilities", many, []string{}, never},
				{"country_code", text, nil, never},
				{"phone_number", text, nil, never},
			},
			create: addPhoneNumber,
		},
		{
			name: "messaging_short_codes", host: "messaging", table: true, can: create | fetch | remove | list,
			paths: []string{service + "/ShortCodes/{sid}"}, unique: once,
			fields: []field{
				{"capabilities", many, []string{"SMS"}, never},
				{"country_code", text, "US", never},
				{"short_code", text, nil, never},
			},
			create: addShortCode,
		},
		{
			name: "messaging_alpha_senders", host: "messaging", prefix: "AI", table: true, can: create | fetch | remove | list,
			paths: []string{service + "/AlphaSenders/{sid}"}, unique: []unique{{field: "alpha_sender", code: alreadySender}},
			fields: []field{
				{"alpha_sender", text, nil, never},
				{"capabilities", many, []string{"SMS"}, never},
			},
			create: checkAlphaSender,
		},
	}
}

// alreadySender is the error code for a sender that the service already has.
const alreadySender = 21710

// maxValidity is how long, in seconds, a message can be valid at most.
const maxValidity = 36000

// saveMessagingService checks the validity period. The bounds are from
// twilio-go's comment on ValidityPeriod.
func saveMessagingService(_ *call, rec *record) *apiError {
	if n := rec.number("validity_period"); n < 1 || n > maxValidity {
		return invalid("ValidityPeriod must be from 1 to %d seconds, not %d", maxValidity, n)
	}
	return nil
}

// addPhoneNumber adds one of the account's numbers to a service's senders. It
// takes over the number's capabilities. Its country is that of the longest
// calling code that the number begins with.
func addPhoneNumber(c *call, rec *record) *apiError {
	number, err := c.joinService(rec, "api/IncomingPhoneNumbers")
	if err != nil {
		return err
	}
	can, _ := number.get("capabilities").(map[string]any)
	able := []string{}
	for _, name := range []string{"MMS", "SMS", "Voice"} {
		if can[strings.ToLower(name)] == true {
			able = append(able, name)
		}
	}
	rec.set("capabilities", able)
	rec.set("phone_number", number.text("phone_number"))
	if country, _ := c.country(strings.TrimPrefix(number.text("phone_number"), "+")); country != nil {
		rec.set("country_code", country.text("iso_code"))
	}
	return nil
}

// addShortCode adds one of the account's short codes to a service's senders.
// Short codes have no row of their own; the generic layer keeps them.
func addShortCode(c *call, rec *record) *apiError {
	code, err := c.joinService(rec, "api/SMS/ShortCodes")
	if err == nil {
		rec.set("short_code", code.text("short_code"))
	}
	return err
}

// joinService returns the account's item that becomes a sender. It can be in
// one service only. The codes are those of
// https://www.twilio.com/docs/api/errors: 21421 is for one that the account does
// not have, 21712 for one in another service.
func (c *call) joinService(rec *record, collection string) (*record, *apiError) {
	item := c.account.child(collection).find(rec.id, nil)
	if item == nil {
		return nil, refuse(http.StatusBadRequest, 21421, "%.40s is not a number or short code of the account", rec.id)
	}
	for range c.store.where(rec.kind.kind, c.account, map[string]any{"sid": rec.id}) {
		return nil, refuse(http.StatusConflict, 21712, "Phone Number or Short Code is associated with another Messaging Service")
	}
	return item, nil
}

// alphaSender matches the characters of an alphanumeric sender. The characters
// and the length are those in twilio-go's comment on AlphaSender.
var alphaSender = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9 &+_-]{1,11}$`) })

// checkAlphaSender checks an alphanumeric sender. A name that has only digits
// would look like a number.
func checkAlphaSender(_ *call, rec *record) *apiError {
	name := rec.text("alpha_sender")
	if !alphaSender().MatchString(name) || !strings.ContainsFunc(name, func(r rune) bool { return r >= 'A' && r != '_' }) {
		return invalid("AlphaSender must have 1 to 11 letters, digits and spaces, and at least one letter, not %.40q", name)
	}
	return nil
}

// hasSender reports whether a messaging service can send. A service that is not
// in the state can, since tests often name a service without describing it.
func (c *call) hasSender(service string) bool {
	rec := c.account.child("messaging/v1/Services").find(service, nil)
	return rec == nil || slices.ContainsFunc([]string{"PhoneNumbers", "ShortCodes", "AlphaSenders", "ChannelSenders", "DestinationAlphaSenders"},
		func(senders string) bool { return rec.child(senders).len() > 0 })
}
