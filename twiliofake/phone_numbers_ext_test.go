package twiliofake_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	openapi "github.com/twilio/twilio-go/rest/api/v2010"

	"github.com/flexfn/flexfn/twiliofake"
)

// TestBuyNumber searches for numbers and buys them, as onboarding functions do.
func TestBuyNumber(t *testing.T) {
	fake := newFake(t)
	numbers := openapi.NewApiService(newClient(fake))
	search := func(path string) []string {
		t.Helper()
		var found []string
		for _, n := range ask(t, fake, "GET", api+"/AvailablePhoneNumbers/"+path, "").want(t, 200).items(t, "available_phone_numbers") {
			found = append(found, n["phone_number"].(string))
		}
		return found
	}
	for path, begins := range map[string]string{
		"US/Local.json": "+1415", "US/Local.json?AreaCode=510": "+1510", "US/TollFree.json": "+1800", "US/TollFree.json?AreaCode=888": "+1888",
		"GB/Mobile.json": "+447", "GB/Local.json": "+442", "US/Local.json?Contains=510867****": "+1510867", "US/Local.json?AreaCode=212&Contains=STORM": "+121278676",
		"US/Local.json?Contains=%2B1510867": "+1510867", "GB/Mobile.json?SmsEnabled=true": "+447",
	} {
		found := search(path)
		if len(found) == 0 || len(found) > 50 {
			t.Errorf("%s finds %d numbers", path, len(found))
		}
		seen := map[string]bool{}
		for _, n := range found {
			if !strings.HasPrefix(n, begins) || seen[n] {
				t.Errorf("%s finds %s, want a new one that begins with %s", path, n, begins)
			}
			seen[n] = true
		}
	}
	for _, path := range []string{"US/Local.json?AreaCode=800", "US/TollFree.json?AreaCode=510", "US/Local.json?AreaCode=212&Contains=510867****", "GB/Local.json?SmsEnabled=true"} {
		if found := search(path); len(found) != 0 {
			t.Errorf("%s finds %v", path, found)
		}
	}
	ask(t, fake, "GET", api+"/AvailablePhoneNumbers/US/Mobile.json", "").want(t, 404, "code", 20404)
	ask(t, fake, "GET", api+"/AvailablePhoneNumbers/ZZ/Local.json", "").want(t, 404, "code", 20404)
	ask(t, fake, "GET", api+"/AvailablePhoneNumbers/US/Local.json?AreaCode=x", "").want(t, 400, "code", 20001)
	gb := ask(t, fake, "GET", api+"/AvailablePhoneNumbers/GB.json", "").want(t, 200, "country_code", "GB", "country", "United Kingdom", "beta", false)
	if links := gb.body["subresource_uris"].(map[string]any); len(links) != 3 || links["mobile"] != "/2010-04-01/Accounts/"+account+"/AvailablePhoneNumbers/GB/Mobile.json" {
		t.Errorf("GB has %v", links)
	}
	local := must[[]openapi.ApiV2010AvailablePhoneNumberLocal](t)(numbers.ListAvailablePhoneNumberLocal("US", new(openapi.ListAvailablePhoneNumberLocalParams).SetAreaCode(510).SetVoiceEnabled(true)))
	if len(local) != 50 || *local[0].IsoCountry != "US" || !local[0].Capabilities.Voice {
		t.Errorf("%d numbers, the first in %s", len(local), *local[0].IsoCountry)
	}

	// What was bought is not offered again, and cannot be bought twice.
	first := *local[0].PhoneNumber
	bought := must[*openapi.ApiV2010IncomingPhoneNumber](t)(numbers.CreateIncomingPhoneNumber(new(openapi.CreateIncomingPhoneNumberParams).SetPhoneNumber(first).SetVoiceUrl("https://example.com/voice")))
	if *bought.PhoneNumber != first || *bought.VoiceUrl != "https://example.com/voice" || *bought.Type != "local" {
		t.Errorf("bought %s of type %s", *bought.PhoneNumber, *bought.Type)
	}
	if found := search("US/Local.json?AreaCode=510"); found[0] == first {
		t.Errorf("%s is still offered", first)
	}
	buy := func(path, form string) answer { t.Helper(); return ask(t, fake, "POST", api+path, form) }
	buy("/IncomingPhoneNumbers.json", "PhoneNumber="+url.QueryEscape(first)).want(t, 400, "code", 21422)
	area := buy("/IncomingPhoneNumbers.json", "AreaCode=510").want(t, 201)
	if n := area.body["phone_number"].(string); !strings.HasPrefix(n, "+1510") || n == first {
		t.Errorf("in the area of 510 there is %s", n)
	}
	buy("/IncomingPhoneNumbers.json", "AreaCode=800").want(t, 201, "type", "toll-free")
	buy("/IncomingPhoneNumbers.json", "AreaCode=110").want(t, 400, "code", 21451)
	buy("/IncomingPhoneNumbers.json", "FriendlyName=x").want(t, 400, "code", 20001)
	buy("/IncomingPhoneNumbers.json", "PhoneNumber=555").want(t, 400, "code", 21421)
	buy("/IncomingPhoneNumbers/Local.json", "AreaCode=510").want(t, 400, "code", 21457)
	buy("/IncomingPhoneNumbers/Local.json", "PhoneNumber=%2B18005550199").want(t, 400, "code", 21422)
	buy("/IncomingPhoneNumbers/TollFree.json", "PhoneNumber=%2B15105550199").want(t, 400, "code", 21422)
	free := must[*openapi.ApiV2010IncomingPhoneNumberTollFree](t)(numbers.CreateIncomingPhoneNumberTollFree(new(openapi.CreateIncomingPhoneNumberTollFreeParams).SetPhoneNumber("+18885550199")))
	if want := "/2010-04-01/Accounts/" + account + "/IncomingPhoneNumbers/" + *free.Sid + ".json"; *free.Uri != want {
		t.Errorf("the URI is %s, want %s", *free.Uri, want)
	}
	mobile := buy("/IncomingPhoneNumbers/Mobile.json", "PhoneNumber=%2B447005550199").want(t, 201, "type", "mobile")
	for path, want := range map[string]int{"": 7, "/Local": 4, "/TollFree": 2, "/Mobile": 1} {
		if got := ask(t, fake, "GET", api+"/IncomingPhoneNumbers"+path+".json", "").items(t, "incoming_phone_numbers"); len(got) != want {
			t.Errorf("IncomingPhoneNumbers%s has %d numbers, want %d", path, len(got), want)
		}
	}
	for pattern, want := range map[string]int{"510": 2, "%2B1510*55": 2, "%2B447005550199": 1, "999": 0} {
		if got := ask(t, fake, "GET", api+"/IncomingPhoneNumbers.json?PhoneNumber="+pattern, "").items(t, "incoming_phone_numbers"); len(got) != want {
			t.Errorf("%s has %d numbers, want %d", pattern, len(got), want)
		}
	}
	ask(t, fake, "DELETE", api+"/IncomingPhoneNumbers/"+mobile.sid(t)+".json", "").want(t, 204)
	if got := ask(t, fake, "GET", api+"/IncomingPhoneNumbers/Mobile.json", "").items(t, "incoming_phone_numbers"); len(got) != 0 {
		t.Errorf("a number that was given back is still listed: %v", got)
	}
}

// TestOtherNumberTypes lists numbers of the types that have no stock: those of
// the state document.
func TestOtherNumberTypes(t *testing.T) {
	fake := newFake(t)
	if err := fake.SetResource("api/AvailablePhoneNumbers/National", twiliofake.Resource{"country_code": "GB", "sid": "1", "phone_number": "+443300550100"}); err != nil {
		t.Fatal(err)
	}
	national := ask(t, fake, "GET", api+"/AvailablePhoneNumbers/GB/National.json", "").items(t, "available_phone_numbers")
	if len(national) != 1 || national[0]["phone_number"] != "+443300550100" {
		t.Errorf("the national numbers are %v", national)
	}
}

// TestStockEnds buys all numbers of a narrow search.
func TestStockEnds(t *testing.T) {
	fake := newFake(t)
	const search = api + "/AvailablePhoneNumbers/US/Local.json?Contains=510555123*"
	for i := range 10 {
		found := ask(t, fake, "GET", search, "").items(t, "available_phone_numbers")
		if len(found) != 10-i {
			t.Fatalf("%d numbers are left, want %d", len(found), 10-i)
		}
		ask(t, fake, "POST", api+"/IncomingPhoneNumbers.json", "PhoneNumber="+url.QueryEscape(found[0]["phone_number"].(string))).want(t, 201)
	}
	if found := ask(t, fake, "GET", search, "").items(t, "available_phone_numbers"); len(found) != 0 {
		t.Errorf("%v are offered after all were bought", found)
	}
}

// TestNumbersOfSubaccounts buys a number for a sub-account and moves it. A
// number belongs to one account of all.
func TestNumbersOfSubaccounts(t *testing.T) {
	fake := newFake(t)
	sub := ask(t, fake, "POST", "https://api.twilio.com/2010-04-01/Accounts.json", "FriendlyName=sub").want(t, 201)
	of := "https://api.twilio.com/2010-04-01/Accounts/" + sub.sid(t)
	bought := ask(t, fake, "POST", of+"/IncomingPhoneNumbers.json", "PhoneNumber=%2B15105550100").want(t, 201, "account_sid", sub.sid(t))
	ask(t, fake, "POST", api+"/IncomingPhoneNumbers.json", "PhoneNumber=%2B15105550100").want(t, 400, "code", 21422)
	ask(t, fake, "POST", of+"/IncomingPhoneNumbers.json", "PhoneNumber=%2B15550002222").want(t, 400, "code", 21422)
	call := "To=%2B15550001111&From=%2B15105550100&Url=https://example.com"
	ask(t, fake, "POST", api+"/Calls.json", call).want(t, 400, "code", 21210)
	ask(t, fake, "POST", of+"/Calls.json", call).want(t, 201)
	service := ask(t, fake, "POST", "https://messaging.twilio.com/v1/Services", "FriendlyName=m").want(t, 201)

	item := "/IncomingPhoneNumbers/" + bought.sid(t) + ".json"
	ask(t, fake, "POST", of+item, "AccountSid=AC00000000000000000000000000000099").want(t, 400, "code", 20001)
	ask(t, fake, "POST", of+item, "AccountSid="+account+"&FriendlyName=moved").want(t, 200, "account_sid", account, "friendly_name", "moved")
	ask(t, fake, "GET", of+item, "").want(t, 404)
	ask(t, fake, "GET", api+item, "").want(t, 200, "phone_number", "+15105550100")
	ask(t, fake, "POST", api+"/Calls.json", call).want(t, 201)
	senders := "https://messaging.twilio.com/v1/Services/" + service.sid(t) + "/PhoneNumbers"
	ask(t, fake, "POST", senders, "PhoneNumberSid="+bought.sid(t)).want(t, 200)
	ask(t, fake, "POST", api+item, "AccountSid="+sub.sid(t)).want(t, 200)
	if left := ask(t, fake, "GET", senders, "").items(t, "phone_numbers"); len(left) != 0 {
		t.Errorf("the senders are %v after the number has moved", left)
	}
	if got := fmt.Sprint(len(ask(t, fake, "GET", api+"/IncomingPhoneNumbers/Local.json", "").items(t, "incoming_phone_numbers"))); got != "2" {
		t.Errorf("the account lists %s numbers, want 2", got)
	}
}

// TestMediaOfMessage counts what a message brings along.
func TestMediaOfMessage(t *testing.T) {
	fake := newFake(t)
	message := "To=%2B15550001111&From=%2B15550002222&Body=x"
	ask(t, fake, "POST", api+"/Messages.json", message).want(t, 201, "num_media", "0")
	ask(t, fake, "POST", api+"/Messages.json", message+"&MediaUrl=https://example.com/a.png&MediaUrl=https://example.com/b.png").want(t, 201, "num_media", "2")
}
