package twiliofake_test

import (
	"testing"

	openapi "github.com/twilio/twilio-go/rest/api/v2010"
	messaging "github.com/twilio/twilio-go/rest/messaging/v1"

	"github.com/flexfn/flexfn/twiliofake"
)

// TestMessagingServices gives a service senders, sends through it, and takes its
// senders away.
func TestMessagingServices(t *testing.T) {
	fake := newFake(t)
	client := newClient(fake)
	api, voice := messaging.NewApiService(client), openapi.NewApiService(client)
	const (
		number    = "PN00000000000000000000000000000001"
		shortCode = "SC00000000000000000000000000000001"
	)
	if err := fake.SetResource("api/SMS/ShortCodes", twiliofake.Resource{"sid": shortCode, "short_code": "12345"}); err != nil {
		t.Fatal(err)
	}
	service := must[*messaging.MessagingV1Service](t)(api.CreateService(new(messaging.CreateServiceParams).SetFriendlyName("s")))
	if !*service.StickySender || *service.InboundMethod != "POST" || service.ValidityPeriod != 36000 || *service.Usecase != "undeclared" {
		t.Errorf("the service is %+v", service)
	}
	other := *must[*messaging.MessagingV1Service](t)(api.CreateService(new(messaging.CreateServiceParams).SetFriendlyName("o"))).Sid
	send := func() (*openapi.ApiV2010Message, error) {
		return voice.CreateMessage(new(openapi.CreateMessageParams).SetTo("+15550001111").SetBody("hi").SetMessagingServiceSid(*service.Sid))
	}
	_, err := send()
	if got := code(t, err); got != "400 21703" {
		t.Errorf("a service without senders: %s", got)
	}
	sender := must[*messaging.MessagingV1PhoneNumber](t)(api.CreatePhoneNumber(*service.Sid, new(messaging.CreatePhoneNumberParams).SetPhoneNumberSid(number)))
	if *sender.Sid != number || *sender.PhoneNumber == "" || *sender.CountryCode != "US" || len(*sender.Capabilities) != 3 {
		t.Errorf("the number is %+v", sender)
	}
	if m := must[*openapi.ApiV2010Message](t)(send()); *m.Status != "accepted" || m.From != nil && *m.From != "" || *m.MessagingServiceSid != *service.Sid {
		t.Errorf("the message is %+v", m)
	}
	for _, c := range []struct {
		what, want string
		err        func() error
	}{
		{"the same number", "409 21710", func() error {
			_, err := api.CreatePhoneNumber(*service.Sid, new(messaging.CreatePhoneNumberParams).SetPhoneNumberSid(number))
			return err
		}},
		{"the number in another service", "409 21712", func() error {
			_, err := api.CreatePhoneNumber(other, new(messaging.CreatePhoneNumberParams).SetPhoneNumberSid(number))
			return err
		}},
		{"another's number", "400 21421", func() error {
			_, err := api.CreatePhoneNumber(other, new(messaging.CreatePhoneNumberParams).SetPhoneNumberSid("PN000000000000000000000000000000ff"))
			return err
		}},
		{"a short code", "", func() error {
			_, err := api.CreateShortCode(*service.Sid, new(messaging.CreateShortCodeParams).SetShortCodeSid(shortCode))
			return err
		}},
		{"the short code in another service", "409 21712", func() error {
			_, err := api.CreateShortCode(other, new(messaging.CreateShortCodeParams).SetShortCodeSid(shortCode))
			return err
		}},
		{"an alpha sender", "", func() error {
			_, err := api.CreateAlphaSender(*service.Sid, new(messaging.CreateAlphaSenderParams).SetAlphaSender("My Co 1"))
			return err
		}},
		{"the same alpha sender", "409 21710", func() error {
			_, err := api.CreateAlphaSender(*service.Sid, new(messaging.CreateAlphaSenderParams).SetAlphaSender("My Co 1"))
			return err
		}},
		{"an alpha sender of digits", "400 20001", func() error {
			_, err := api.CreateAlphaSender(*service.Sid, new(messaging.CreateAlphaSenderParams).SetAlphaSender("12345"))
			return err
		}},
		{"an alpha sender of twelve letters", "400 20001", func() error {
			_, err := api.CreateAlphaSender(*service.Sid, new(messaging.CreateAlphaSenderParams).SetAlphaSender("abcdefghijkl"))
			return err
		}},
		{"a validity of 0", "400 20001", func() error {
			_, err := api.UpdateService(*service.Sid, new(messaging.UpdateServiceParams).SetValidityPeriod(0))
			return err
		}},
	} {
		if got := code(t, c.err()); got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
	code := must[*messaging.MessagingV1ShortCode](t)(api.FetchShortCode(*service.Sid, shortCode))
	alpha := must[[]messaging.MessagingV1AlphaSender](t)(api.ListAlphaSender(*service.Sid, nil))
	if *code.ShortCode != "12345" || len(alpha) != 1 || *alpha[0].AlphaSender != "My Co 1" {
		t.Errorf("the short code is %+v, the alpha senders %+v", code, alpha)
	}
	// A number that the account gives up is no longer a sender.
	if err := voice.DeleteIncomingPhoneNumber(number, nil); err != nil {
		t.Error(err)
	}
	if left := must[[]messaging.MessagingV1PhoneNumber](t)(api.ListPhoneNumber(*service.Sid, nil)); len(left) != 0 {
		t.Errorf("the numbers are %+v", left)
	}
	if err := api.DeleteService(*service.Sid); err != nil {
		t.Error(err)
	}
	if _, err := api.FetchShortCode(*service.Sid, shortCode); err == nil {
		t.Error("the senders outlive their service")
	}
}
