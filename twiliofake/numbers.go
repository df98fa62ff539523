package twiliofake

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// dialingRows are the resources of voice.twilio.com, which say which countries
// an account may call. Countries come from the state, since Twilio's list is
// long and changes. The bodies have no SIDs and no dates.
func dialingRows() []resource {
	return []resource{
		{
			name: "dialing_permissions_countries", host: "voice", list: "content", bare: true,
			paths: []string{"/v1/DialingPermissions/Countries/{iso_code}"},
			can:   readOnly,
			fields: []field{
				{"continent", text, nil, never},
				{"country_codes", many, nil, never},
				{"high_risk_special_numbers_enabled", boolean, false, onUpdate},
				{"high_risk_tollfraud_numbers_enabled", boolean, false, onUpdate},
				{"iso_code", text, nil, never},
				{"low_risk_numbers_enabled", boolean, true, onUpdate},
				{"name", text, nil, never},
			},
			params: map[string]string{"CountryCode": "country_codes"},
			filters: []string{
				"iso_code", "continent", "country_codes", "low_risk_numbers_enabled",
				"high_risk_special_numbers_enabled", "high_risk_tollfraud_numbers_enabled",
			},
		},
		{
			name: "high_risk_special_prefixes", host: "voice", list: "content", bare: true,
			paths:  []string{"/v1/DialingPermissions/Countries/{iso_code}/HighRiskSpecialPrefixes/{prefix}"},
			can:    list,
			fields: []field{{"prefix", text, nil, never}},
		},
		{
			name: "bulk_country_updates", host: "voice", special: updateCountries,
			paths: []string{"/v1/DialingPermissions/BulkCountryUpdates"},
			can:   update,
		},
	}
}

// lookupRows are the resources of lookups.twilio.com. See
// https://www.twilio.com/docs/lookup/v2-api.
func lookupRows() []resource {
	return []resource{
		{
			name: "lookups", host: "lookups", special: lookup,
			paths: []string{"/v2/PhoneNumbers/{phone_number}"},
			can:   fetch,
			// An item in the state overrides what follows from the number
			// itself.
			fields: []field{
				{"calling_country_code", text, nil, never},
				{"country_code", text, nil, never},
				{"national_format", text, nil, never},
				{"phone_number", text, nil, never},
				{"valid", boolean, true, never},
				{"validation_errors", many, nil, never},
				{"caller_name", value, nil, never},
				{"sim_swap", value, nil, never},
				{"call_forwarding", value, nil, never},
				{"line_type_intelligence", value, nil, never},
				{"line_status", value, nil, never},
				{"identity_match", value, nil, never},
				{"reassigned_number", value, nil, never},
				{"sms_pumping_risk", value, nil, never},
				{"phone_number_quality_score", value, nil, never},
				{"pre_fill", value, nil, never},
			},
		},
		{
			name: "lookups_v1", host: "lookups", special: lookupV1, can: fetch,
			paths: []string{"/v1/PhoneNumbers/{phone_number}"},
		},
	}
}

// lookup answers from the format of a number and the countries of the dialing
// permissions. An item in the state overrides both. A package that Fields asks
// for and that the state does not have is an object with the error 60606, as for
// an account that the package is not enabled for
// (https://www.twilio.com/docs/api/errors/60606). Other packages are null.
func lookup(c *call) (*response, *apiError) {
	answer, err := c.lookUpNumber()
	if err != nil {
		return nil, err
	}
	for name := range strings.SplitSeq(c.query.Get("Fields"), ",") {
		if name == "" || name == "validation" {
			continue
		}
		f := c.op.model.model().field(key(name))
		if own, ok := c.resource.field(pascal(name)); !ok || own.kind != value || f == nil {
			return nil, invalid("Invalid value for parameter Fields: %.40q", name)
		}
		if answer[name] == nil {
			disabled := map[string]any{}
			if model := f.shape.model(); model != nil {
				for i := range model.fields {
					disabled[model.fields[i].name] = nil
				}
			}
			disabled["error_code"] = 60606
			answer[name] = disabled
		}
	}
	return jsonResponse(http.StatusOK, answer), nil
}

// lookupV1 answers in the format of v1, which only has numbers that exist.
// carrier and caller-name are what Type can ask for, according to twilio-go;
// both can be asked for at once.
func lookupV1(c *call) (*response, *apiError) {
	known, err := c.lookUpNumber()
	if err != nil {
		return nil, err
	}
	if known["valid"] != true {
		return nil, notFound(c.path)
	}
	answer := map[string]any{"caller_name": nil, "carrier": nil, "add_ons": nil, "url": c.base() + c.path}
	for _, name := range []string{"country_code", "phone_number", "national_format"} {
		answer[name] = known[name]
	}
	for _, kind := range c.query["Type"] {
		switch kind {
		case "carrier":
			line, _ := known["line_type_intelligence"].(map[string]any)
			carrier := map[string]any{"mobile_country_code": nil, "mobile_network_code": nil, "name": nil, "type": nil, "error_code": nil}
			for from, to := range map[string]string{
				"mobile_country_code": "mobile_country_code", "mobile_network_code": "mobile_network_code", "carrier_name": "name", "type": "type",
			} {
				carrier[to] = line[from]
			}
			answer["carrier"] = carrier
		case "caller-name":
			answer["caller_name"] = known["caller_name"]
		default:
			return nil, invalid("Invalid value for parameter Type: %.100q", kind)
		}
	}
	return jsonResponse(http.StatusOK, answer), nil
}

// lookUpNumber returns what is known about the number in the path.
//
// A number is valid if it is in E.164, has 8 to 15 digits and begins with the
// calling code of a country in the state. North American numbers (code 1) have
// a fixed length.
func (c *call) lookUpNumber() (map[string]any, *apiError) {
	number := c.international(c.vars["phone_number"])
	answer := map[string]any{
		"phone_number": number, "national_format": national(number), "calling_country_code": nil, "country_code": nil,
		"validation_errors": []string{}, "valid": true, "url": c.base() + "/v2/PhoneNumbers/" + url.PathEscape(number),
		"caller_name": nil, "sim_swap": nil, "call_forwarding": nil, "line_type_intelligence": nil, "line_status": nil,
		"identity_match": nil, "reassigned_number": nil, "sms_pumping_risk": nil, "phone_number_quality_score": nil, "pre_fill": nil,
	}
	errs := []string{}
	digits, plus := strings.CutPrefix(number, "+")
	switch {
	case !plus || strings.Trim(digits, "0123456789") != "" || digits == "":
		errs = append(errs, "NOT_A_NUMBER")
	case len(digits) < 8:
		errs = append(errs, "TOO_SHORT")
	case len(digits) > 15:
		errs = append(errs, "TOO_LONG")
	}
	if len(errs) == 0 {
		country, code := c.country(digits)
		switch {
		case country == nil:
			errs = append(errs, "INVALID_COUNTRY_CODE")
		case code == "1" && len(digits) < 11:
			errs = append(errs, "TOO_SHORT")
		case code == "1" && len(digits) > 11:
			errs = append(errs, "TOO_LONG")
		}
		if country != nil {
			answer["calling_country_code"], answer["country_code"] = code, country.text("iso_code")
		}
	}
	answer["valid"], answer["validation_errors"] = len(errs) == 0, errs
	if rec := c.one("lookups", map[string]any{"phone_number": number}); rec != nil {
		for k, v := range rec.export() {
			if _, ok := answer[k]; ok {
				answer[k] = v
			}
		}
	}
	return answer, nil
}

// international returns a number in E.164 if it is in national format: of the
// country that CountryCode names, or of the United States. See
// https://www.twilio.com/docs/lookup/v2-api. Anything else is returned as it is.
func (c *call) international(number string) string {
	digits := strings.NewReplacer(" ", "", "(", "", ")", "", "-", "", ".", "").Replace(number)
	iso := cmp.Or(strings.ToUpper(c.query.Get("CountryCode")), "US")
	country := c.one("dialing_permissions_countries", map[string]any{"iso_code": iso})
	if country == nil || digits == "" || strings.Trim(digits, "0123456789") != "" {
		return number
	}
	codes, _ := country.get("country_codes").([]string)
	switch {
	case len(codes) == 0 || codes[0] == "1" && len(digits) != 10:
		return number
	case codes[0] != "1":
		digits = strings.TrimPrefix(digits, "0")
	}
	return "+" + codes[0] + digits
}

// country returns the country whose calling code the digits start with. Codes
// overlap: 1 is North America and 1242 the Bahamas, so the longest one counts.
func (c *call) country(digits string) (*record, string) {
	var best *record
	longest := ""
	for _, rec := range c.where("dialing_permissions_countries", nil) {
		codes, _ := rec.get("country_codes").([]string)
		for _, code := range codes {
			if strings.HasPrefix(digits, code) && len(code) > len(longest) {
				best, longest = rec, code
			}
		}
	}
	return best, longest
}

// updateCountries answers POST /v1/DialingPermissions/BulkCountryUpdates. It
// changes either all the countries or none. Values in the array may be JSON
// booleans or the strings "true" and "false", as in twilio-go's example.
func updateCountries(c *call) (*response, *apiError) {
	var updates []map[string]any
	if err := json.Unmarshal([]byte(c.form.Get("UpdateRequest")), &updates); err != nil {
		return nil, invalid("UpdateRequest must be a JSON array of objects")
	}
	kind := c.rows.byName["dialing_permissions_countries"].row
	changed := map[*record]*record{}
	for _, u := range updates {
		iso, _ := u["iso_code"].(string)
		rec := c.one("dialing_permissions_countries", map[string]any{"iso_code": iso})
		if rec == nil {
			return nil, invalid("UpdateRequest: there is no country %.10q", iso)
		}
		form := url.Values{}
		for k, v := range u {
			if s, ok := v.(string); ok {
				form.Set(pascal(k), s)
			} else if b, ok := v.(bool); ok {
				form.Set(pascal(k), map[bool]string{true: "true", false: "false"}[b])
			}
		}
		next := rec.clone()
		if err := kind.assign(next, form, onUpdate); err != nil {
			return nil, err
		}
		changed[rec] = next
	}
	for rec, next := range changed {
		c.store.commit(rec, next)
	}
	return jsonResponse(http.StatusCreated, map[string]any{
		"update_count": len(updates), "update_request": c.form.Get("UpdateRequest"),
	}), nil
}
