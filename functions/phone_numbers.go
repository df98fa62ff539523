package functions

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/twilioapi"
	api "github.com/twilio/twilio-go/rest/api/v2010"
	lookups "github.com/twilio/twilio-go/rest/lookups/v2"
	voice "github.com/twilio/twilio-go/rest/voice/v1"
)

// ListPhoneNumbers lists all of the account's telephone numbers as
// phoneNumbers, each with friendlyName and phoneNumber; with IncludeOutgoing,
// verified caller IDs follow. The list is complete or the call fails. Its path
// is /common/flex/phone-numbers/list-phone-numbers.
//
// Each request to Twilio returns at most 1,000 numbers, so a large account
// takes several, and a long answer. Numbers that change meanwhile may be
// missing or listed twice.
var ListPhoneNumbers = flexfn.PrepareFlexFunction(listPhoneNumbers, flexfn.Doc("Lists the account's telephone numbers."))

type numbersParams struct {
	IncludeOutgoing bool `json:"IncludeOutgoing" doc:"whether to list verified caller IDs too; false when left out"`
}

type numbersReply struct {
	Numbers []number `json:"phoneNumbers"`
}

// number has pointers, so that fields that Twilio leaves out are null, as in
// the template.
type number struct {
	FriendlyName *string `json:"friendlyName"`
	PhoneNumber  *string `json:"phoneNumber"`
}

// listPhoneNumbers reads all pages of the account's numbers.
func listPhoneNumbers(ctx context.Context, in numbersParams) (numbersReply, error) {
	reply := numbersReply{Numbers: []number{}}
	incoming := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) ([]api.ApiV2010IncomingPhoneNumber, error) {
		return api.NewApiService(client).ListIncomingPhoneNumber(&api.ListIncomingPhoneNumberParams{PageSize: new(pageSize)})
	})
	for _, n := range incoming.Data {
		reply.Numbers = append(reply.Numbers, number{n.FriendlyName, n.PhoneNumber})
	}
	if !incoming.Success || !in.IncludeOutgoing {
		return reply, incoming.Err()
	}
	outgoing := twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) ([]api.ApiV2010OutgoingCallerId, error) {
		return api.NewApiService(client).ListOutgoingCallerId(&api.ListOutgoingCallerIdParams{PageSize: new(pageSize)})
	})
	for _, n := range outgoing.Data {
		reply.Numbers = append(reply.Numbers, number{n.FriendlyName, n.PhoneNumber})
	}
	return reply, outgoing.Err()
}

// ValidatePhoneNumber reports whether the account can call a number: whether
// the number exists, and whether Voice dialing permissions allow it. It fails
// if Twilio does not answer that.
//
// The answer has valid and, if that is false, invalidReason: COUNTRY_UNKNOWN,
// COUNTRY_DISABLED, HIGH_RISK_SPECIAL_NUMBER_DISABLED, or Twilio Lookup's own
// reasons. Its path is /common/flex/phone-numbers/validate-phone-number.
//
// Parameter phoneNumber is a number in E.164 form, such as +15550001111.
// Dialing permissions can change, so do not keep the answer.
var ValidatePhoneNumber = flexfn.PrepareFlexFunction(validatePhoneNumber, flexfn.Doc("Checks whether a telephone number can be called."))

type validateParams struct {
	PhoneNumber string `json:"phoneNumber" purpose:"phone number to validate" example:"+15550001111"`
}

// Validate accepts any path segment: Twilio decides whether it is a number.
func (p validateParams) Validate() error { return checkNames("phoneNumber", p.PhoneNumber) }

type validateReply struct {
	Valid bool `json:"valid"`
	// InvalidReason is COUNTRY_UNKNOWN, COUNTRY_DISABLED,
	// HIGH_RISK_SPECIAL_NUMBER_DISABLED, or codes of Twilio Lookup separated
	// by ", "; null when the number is valid.
	InvalidReason *string `json:"invalidReason"`
}

func validatePhoneNumber(ctx context.Context, in validateParams) (validateReply, error) {
	return twilioapi.ExecuteTwilio(ctx, func(client *twilioapi.Client) (validateReply, error) {
		found, err := lookups.NewApiService(client).FetchPhoneNumber(in.PhoneNumber, nil)
		if err != nil {
			return validateReply{}, err
		}
		if !found.Valid {
			reasons := make([]string, len(found.ValidationErrors))
			for i, e := range found.ValidationErrors {
				reasons[i] = string(e)
			}
			return invalid(strings.Join(reasons, ", ")), nil
		}
		return dialingPermission(client, found)
	}).Get()
}

func invalid(reason string) validateReply { return validateReply{InvalidReason: &reason} }

// dialingPermission checks a number that exists against the account's Voice
// dialing permissions. Low-risk numbers are the ordinary ones of a country; a
// country that does not allow them counts as disabled. High-risk special
// numbers are recognised by their prefixes, which are fetched only if the
// country does not allow such numbers. It runs within the caller's
// ExecuteTwilio, so a repeated attempt begins with Lookup again.
func dialingPermission(client *twilioapi.Client, found *lookups.LookupResponse) (validateReply, error) {
	if found.CallingCountryCode == nil || found.PhoneNumber == nil {
		return validateReply{}, errNoCountry
	}
	countries, err := voice.NewApiService(client).ListDialingPermissionsCountry(&voice.ListDialingPermissionsCountryParams{
		CountryCode: found.CallingCountryCode, PageSize: new(pageSize),
	})
	if err != nil {
		return validateReply{}, err
	}
	if len(countries) == 0 {
		return invalid("COUNTRY_UNKNOWN"), nil
	}
	// Several countries can share a calling code, such as the United States and
	// Canada.
	isOf := func(c voice.VoiceV1DialingPermissionsCountry) bool {
		return c.IsoCode != nil && found.CountryCode != nil && *c.IsoCode == *found.CountryCode
	}
	if i := slices.IndexFunc(countries, isOf); i >= 0 {
		countries = countries[i : i+1]
	}
	for _, country := range countries {
		if !allowed(country.LowRiskNumbersEnabled) {
			return invalid("COUNTRY_DISABLED"), nil
		}
		if allowed(country.HighRiskSpecialNumbersEnabled) {
			continue
		}
		if country.IsoCode == nil {
			return validateReply{}, errNoCountry
		}
		prefixes, err := voice.NewApiService(client).ListDialingPermissionsHrsPrefixes(*country.IsoCode, &voice.ListDialingPermissionsHrsPrefixesParams{PageSize: new(pageSize)})
		if err != nil {
			return validateReply{}, err
		}
		for _, p := range prefixes {
			if p.Prefix != nil && strings.HasPrefix(*found.PhoneNumber, *p.Prefix) {
				return invalid("HIGH_RISK_SPECIAL_NUMBER_DISABLED"), nil
			}
		}
	}
	return validateReply{Valid: true}, nil
}

// errNoCountry is an error rather than a result, since it is unknown whether
// the number can be called.
var errNoCountry = flexfn.Errorf(http.StatusBadGateway, "Twilio did not say which country the number belongs to")

func allowed(yes *bool) bool { return yes != nil && *yes }
