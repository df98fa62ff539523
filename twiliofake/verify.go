package twiliofake

import (
	"maps"
	"math"
	"net/http"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of a verification; see
// https://www.twilio.com/docs/verify/api/verification. Attempts to send and
// attempts to check are counted separately.
const (
	verificationTTL = 10 * time.Minute
	maxCodesSent    = 5
	maxCodesChecked = 5
	minCode         = 4 // characters
	maxCode         = 10
)

// verifyRows are the resources of verify.twilio.com that start and check
// verifications. Nothing is sent. Tests read the code from the verification's
// _code, or choose it with CustomCode.
//
// _checks counts the codes that were tried.
func verifyRows() []resource {
	const service = "/v2/Services/{service_sid}"
	return []resource{
		{
			name: "verify_services", host: "verify", prefix: "VA", table: true, can: all,
			paths: []string{"/v2/Services/{sid}"},
			fields: []field{
				{"code_length", integer, 6, never},
				{"custom_code_enabled", boolean, false, never},
				{"do_not_share_warning_enabled", boolean, false, never},
				{"dtmf_input_required", boolean, true, never},
				{"lookup_enabled", boolean, false, never},
				{"psd2_enabled", boolean, false, never},
				{"skip_sms_to_landlines", boolean, false, never},
			},
			create: checkVerifyService,
			update: checkVerifyService,
		},
		{
			name: "verifications", host: "verify", prefix: "VE", table: true, can: create | fetch | update,
			paths: []string{service + "/Verifications/{sid}"},
			// _to holds the address while the verification is pending, so that
			// only a pending one is found by it.
			alias: []string{"_to"},
			fields: []field{
				{"_code", text, nil, never},
				{"_checks", integer, 0, never},
				{"_to", text, nil, never},
				{"send_code_attempts", value, []any{}, never},
				{"status", text, "pending", never},
				{"valid", boolean, false, never},
			},
			create: createVerification,
			update: updateVerification,
		},
		{
			name: "verification_check", host: "verify", can: update, special: checkVerification,
			paths: []string{service + "/VerificationCheck"},
		},
		{
			name: "verification_attempts", host: "verify", prefix: "VL", table: true, can: readOnly,
			paths: []string{"/v2/Attempts/{sid}"},
			fields: []field{
				{"_country", text, nil, never},
				{"channel", text, "sms", never},
				{"channel_data", value, map[string]any{}, never},
				{"conversion_status", text, "unconverted", never},
				{"price", value, map[string]any{"value": "0.05", "currency": "usd"}, never},
				{"service_sid", text, nil, never},
				{"verification_sid", text, nil, never},
			},
			narrow: attemptFilters,
		},
		{
			name: "verification_attempts_summary", host: "verify", can: fetch, special: summarizeAttempts,
			paths: []string{"/v2/Attempts/Summary"},
		},
	}
}

// checkVerifyService checks the lengths of the name and of the codes. See
// https://www.twilio.com/docs/api/errors/60200 and
// https://www.twilio.com/docs/verify/api/service.
func checkVerifyService(_ *call, rec *record) *apiError {
	if name := rec.text("friendly_name"); utf8.RuneCountInString(name) > 30 {
		return refuse(http.StatusBadRequest, 60200, "Invalid parameter: FriendlyName %.40q is longer than 30 characters", name)
	}
	if n := rec.number("code_length"); n < minCode || n > maxCode {
		return refuse(http.StatusBadRequest, 60200, "Invalid parameter: CodeLength must be from %d to %d, not %d", minCode, maxCode, n)
	}
	return nil
}

// checkCode refuses a code of another length than codes can have.
func checkCode(param, code string) *apiError {
	if n := utf8.RuneCountInString(code); n < minCode || n > maxCode {
		return refuse(http.StatusBadRequest, 60200, "Invalid parameter: %s must have %d to %d characters, not %d", param, minCode, maxCode, n)
	}
	return nil
}

// createVerification makes a code. While a verification of the address is
// pending, it reuses that one's code.
//
// The verification keeps its SID, its count of checks and the date from which
// it expires; the sixth code that is asked for is 60203. Every code is also an
// item of verification_attempts. A channel that Verify does not have is 60200,
// and so is an address that the channel cannot reach. Unlike most of Twilio's
// enumerations, channels are in lower case only.
func createVerification(c *call, rec *record) *apiError {
	to := rec.text("to")
	reaches, ok := verifyChannels[rec.text("channel")]
	if !ok {
		return refuse(http.StatusBadRequest, 60200, "Invalid parameter: Channel %.40q is not one of %s", rec.text("channel"),
			strings.Join(slices.Sorted(maps.Keys(verifyChannels)), ", "))
	}
	if !reaches(to) {
		return refuse(http.StatusBadRequest, 60200, "Invalid parameter To: %.40q", to)
	}
	if c.form.Has("CustomCode") {
		if err := checkCode("CustomCode", c.form.Get("CustomCode")); err != nil {
			return err
		}
	}
	rec.set("_code", c.newCode())
	attempts := []any{}
	if old := c.pending(to); old != nil {
		attempts, _ = old.get("send_code_attempts").([]any)
		if len(attempts) >= maxCodesSent {
			return refuse(http.StatusTooManyRequests, 60203, "Max send attempts reached")
		}
		c.store.remove(old)
		rec.id = old.id
		for _, name := range []string{"_checks", "_code", "date_created"} {
			rec.set(name, old.get(name))
		}
	}
	if code := c.form.Get("CustomCode"); code != "" {
		rec.set("_code", code)
	}
	rec.set("_to", to)
	attempt := c.make("verification_attempts", map[string]any{
		"channel": rec.text("channel"), "channel_data": map[string]any{"to": to}, "verification_sid": rec.id, "service_sid": c.parent.id,
	})
	if country, _ := c.country(strings.TrimPrefix(to, "+")); country != nil && e164().MatchString(to) {
		attempt.set("_country", country.text("iso_code"))
	}
	c.add(attempt)
	rec.set("send_code_attempts", append(attempts[:len(attempts):len(attempts)], map[string]any{
		"time": c.now.Format(time.RFC3339), "channel": rec.text("channel"), "attempt_sid": attempt.id,
	}))
	return nil
}

// verifyChannels has a check of addresses for each channel. twilio-go lists the
// channels at CreateVerificationParams. auto picks one of those for numbers.
var verifyChannels = map[string]func(to string) bool{
	"auto": isNumber, "call": isNumber, "email": isMailAddress, "sms": isNumber, "sna": isNumber, "whatsapp": isNumber,
}

func isNumber(to string) bool { return e164().MatchString(to) }

func isMailAddress(to string) bool {
	a, err := mail.ParseAddress(to)
	return err == nil && a.Address == to
}

// newCode makes a code of the service's code length. The shortest is four
// digits. The digits come from the fake's seed.
func (c *call) newCode() string {
	var b strings.Builder
	for range max(c.parent.number("code_length"), 4) {
		b.WriteString(strconv.Itoa(int(c.store.sids.Uint32() % 10)))
	}
	return b.String()
}

// pending returns the pending verification of an address or a SID, unless it
// has expired. An expired verification is removed, so checking its code is 404.
func (c *call) pending(id string) *record {
	rec := c.parent.child("Verifications").find(id, []string{"_to"})
	if rec == nil || rec.text("status") != "pending" {
		return nil
	}
	if t, err := time.Parse(time.RFC3339, rec.text("date_created")); err == nil && c.now.Sub(t) > verificationTTL {
		c.store.remove(rec)
		return nil
	}
	return rec
}

// updateVerification approves or cancels a verification without its code. Only
// a pending one can be approved or canceled.
func updateVerification(c *call, rec *record) *apiError {
	if c.before.text("status") != "pending" {
		return notFound(c.path)
	}
	rec.set("_to", nil)
	rec.set("valid", rec.text("status") == "approved")
	if rec.text("status") == "approved" {
		c.convert(rec)
	}
	return nil
}

// convert marks the last attempt of an approved verification. Statistics of
// attempts are about the codes that were sent; the last one was the one that
// worked.
func (c *call) convert(rec *record) {
	attempts, _ := rec.get("send_code_attempts").([]any)
	if len(attempts) == 0 {
		return
	}
	last, _ := attempts[len(attempts)-1].(map[string]any)
	sid, _ := last["attempt_sid"].(string)
	if attempt := c.account.child("verify/v2/Attempts").find(sid, nil); attempt != nil {
		c.set(attempt, map[string]any{"conversion_status": "converted"})
	}
}

// checkVerification compares a code with the verification's. A wrong code is
// not an error: the answer has the status pending. The sixth try is 60202.
// After the right one the verification is no longer found by its address.
func checkVerification(c *call) (*response, *apiError) {
	if _, err := c.parameters(); err != nil {
		return nil, err
	}
	id := c.form.Get("VerificationSid")
	if id == "" {
		id = c.form.Get("To")
	}
	if id == "" {
		return nil, refuse(http.StatusBadRequest, 60200, "Either To or VerificationSid is required")
	}
	rec := c.pending(id)
	if rec == nil {
		return nil, notFound(c.path)
	}
	if rec.number("_checks") >= maxCodesChecked {
		return nil, refuse(http.StatusTooManyRequests, 60202, "Max check attempts reached")
	}
	if rec.text("channel") != "sna" || c.form.Has("Code") { // sna has no codes
		if err := checkCode("Code", c.form.Get("Code")); err != nil {
			return nil, err
		}
	}
	fields := map[string]any{"_checks": rec.number("_checks") + 1}
	if c.form.Get("Code") == rec.text("_code") {
		fields["status"], fields["valid"], fields["_to"] = "approved", true, nil
		c.convert(rec)
	}
	c.set(rec, fields)
	return c.answer(http.StatusOK, rec), nil
}

// attemptFilters are the parameters of the attempts' list and summary.
// DateCreatedAfter and DateCreatedBefore include their bounds.
var attemptFilters = map[string]func(*call, []string) (func(*record) bool, *apiError){
	"ChannelData.To": func(_ *call, values []string) (func(*record) bool, *apiError) {
		return func(rec *record) bool { return slices.Contains(values, rec.address()) }, nil
	},
	"Channel":           attemptField("channel"),
	"Country":           attemptField("_country"),
	"DateCreatedAfter":  since,
	"DateCreatedBefore": until,
	"DestinationPrefix": func(_ *call, values []string) (func(*record) bool, *apiError) {
		return func(rec *record) bool { return strings.HasPrefix(rec.address(), values[0]) }, nil
	},
	"Status":           attemptField("conversion_status"),
	"VerificationSid":  attemptField("verification_sid"),
	"VerifyServiceSid": attemptField("service_sid"),
}

// attemptField returns a filter for a field of attempts. Case does not matter:
// twilio-go writes the statuses in capitals.
func attemptField(name string) func(*call, []string) (func(*record) bool, *apiError) {
	return func(_ *call, values []string) (func(*record) bool, *apiError) {
		return func(rec *record) bool {
			return slices.ContainsFunc(values, func(want string) bool { return strings.EqualFold(rec.text(name), want) })
		}, nil
	}
}

// address returns where an attempt was sent.
func (r *record) address() string {
	data, _ := r.get("channel_data").(map[string]any)
	to, _ := data["to"].(string)
	return to
}

// summarizeAttempts counts the attempts and those that were converted. The rate
// is in percent.
func summarizeAttempts(c *call) (*response, *apiError) {
	if _, err := c.parameters(); err != nil {
		return nil, err
	}
	var tests []func(*record) bool
	for _, param := range slices.Sorted(maps.Keys(c.query)) {
		test, err := attemptFilters[param](c, c.query[param])
		if err != nil {
			return nil, err
		}
		tests = append(tests, test)
	}
	all, converted := 0, 0
	for rec := range c.account.child("verify/v2/Attempts").all() {
		if slices.ContainsFunc(tests, func(test func(*record) bool) bool { return !test(rec) }) {
			continue
		}
		all++
		if rec.text("conversion_status") == "converted" {
			converted++
		}
	}
	rate := 0.0
	if all > 0 {
		rate = math.Round(float64(converted)/float64(all)*1e11) / 1e9
	}
	return jsonResponse(http.StatusOK, map[string]any{
		"total_attempts": all, "total_converted": converted, "total_unconverted": all - converted,
		"conversion_rate_percentage": strconv.FormatFloat(rate, 'f', -1, 64), "url": c.base() + c.path,
	}), nil
}
