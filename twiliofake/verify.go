package twiliofake

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Limits of a verification; see
// https://www.twilio.com/docs/verify/api/verification.
const (
	verificationTTL = 10 * time.Minute
	maxCodesSent    = 5
	maxCodesChecked = 5
)

// verifyRows are the resources of verify.twilio.com that start and check
// verifications. Nothing is sent. Tests read the code from the verification's
// _code, or choose it with CustomCode.
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
	}
}

// createVerification makes a code. While a verification of the address is
// pending, it reuses that one's code.
func createVerification(c *call, rec *record) *apiError {
	to := rec.text("to")
	if channel := rec.text("channel"); (channel == "sms" || channel == "call" || channel == "whatsapp") && !e164.MatchString(to) {
		return refuse(http.StatusBadRequest, 60200, "Invalid parameter To: %.40q", to)
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
	rec.set("send_code_attempts", append(attempts[:len(attempts):len(attempts)], map[string]any{
		"time": c.now.Format(time.RFC3339), "channel": rec.text("channel"), "attempt_sid": "VL" + c.store.hex32(),
	}))
	return nil
}

// newCode makes a code of the service's code length.
func (c *call) newCode() string {
	var b strings.Builder
	for range max(c.parent.number("code_length"), 4) {
		b.WriteString(strconv.Itoa(int(c.store.sids.Uint32() % 10)))
	}
	return b.String()
}

// pending returns the pending verification of an address or a SID, unless it has
// expired.
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

func updateVerification(c *call, rec *record) *apiError {
	if c.before.text("status") != "pending" {
		return notFound(c.path)
	}
	rec.set("_to", nil)
	rec.set("valid", rec.text("status") == "approved")
	return nil
}

// checkVerification compares a code with the verification's.
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
	fields := map[string]any{"_checks": rec.number("_checks") + 1}
	if c.form.Get("Code") == rec.text("_code") {
		fields["status"], fields["valid"], fields["_to"] = "approved", true, nil
	}
	c.set(rec, fields)
	return c.answer(http.StatusOK, rec), nil
}
