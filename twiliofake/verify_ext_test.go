package twiliofake_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	studio "github.com/twilio/twilio-go/rest/studio/v2"
	verify "github.com/twilio/twilio-go/rest/verify/v2"
)

func TestVerify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		api := verify.NewApiService(newClient(fake))
		service := *must[*verify.VerifyV2Service](t)(api.CreateService(new(verify.CreateServiceParams).SetFriendlyName("s"))).Sid
		start := func(to string) (*verify.VerifyV2Verification, error) {
			return api.CreateVerification(service, new(verify.CreateVerificationParams).SetTo(to).SetChannel("sms"))
		}
		check := func(to, code string) (*verify.VerifyV2VerificationCheck, error) {
			return api.CreateVerificationCheck(service, new(verify.CreateVerificationCheckParams).SetTo(to).SetCode(code))
		}
		const to = "+15550001111"
		v := must[*verify.VerifyV2Verification](t)(start(to))
		kept, _ := fake.Resource("verifications", *v.Sid)
		secret, _ := kept["_code"].(string)
		if *v.Status != "pending" || *v.Valid || len(*v.SendCodeAttempts) != 1 || len(secret) != 6 {
			t.Errorf("the verification is %+v, its code %q", v, secret)
		}
		if again := must[*verify.VerifyV2Verification](t)(start(to)); *again.Sid != *v.Sid || len(*again.SendCodeAttempts) != 2 {
			t.Errorf("sent again it is %s with %d attempts", *again.Sid, len(*again.SendCodeAttempts))
		}
		if c := must[*verify.VerifyV2VerificationCheck](t)(check(to, "wrong")); *c.Valid || *c.Status != "pending" {
			t.Errorf("a wrong code: %+v", c)
		}
		if c := must[*verify.VerifyV2VerificationCheck](t)(check(to, secret)); !*c.Valid || *c.Status != "approved" || *c.Sid != *v.Sid {
			t.Errorf("the right code: %+v", c)
		}
		if _, err := check(to, secret); code(t, err) != "404 20404" {
			t.Errorf("a code checked twice: %v", err)
		}
		second := must[*verify.VerifyV2Verification](t)(start(to))
		if *second.Sid == *v.Sid {
			t.Error("an approved verification began again")
		}
		for range 5 {
			must[*verify.VerifyV2VerificationCheck](t)(check(to, "wrong"))
		}
		if _, err := check(to, "wrong"); code(t, err) != "429 60202" {
			t.Errorf("a sixth check: %v", err)
		}
		for range 4 {
			must[*verify.VerifyV2Verification](t)(start(to))
		}
		if _, err := start(to); code(t, err) != "429 60203" {
			t.Errorf("a sixth code: %v", err)
		}
		time.Sleep(11 * time.Minute)
		if _, err := check(to, "wrong"); code(t, err) != "404 20404" {
			t.Errorf("after eleven minutes: %v", err)
		}
		third := must[*verify.VerifyV2Verification](t)(api.CreateVerification(service, new(verify.CreateVerificationParams).SetTo(to).SetChannel("sms").SetCustomCode("4711")))
		if got := must[*verify.VerifyV2Verification](t)(api.FetchVerification(service, to)); *got.Sid != *third.Sid {
			t.Errorf("by its address it is %s, want %s", *got.Sid, *third.Sid)
		}
		must[*verify.VerifyV2Verification](t)(api.UpdateVerification(service, *third.Sid, new(verify.UpdateVerificationParams).SetStatus("canceled")))
		if _, err := check(to, "4711"); code(t, err) != "404 20404" {
			t.Errorf("a canceled verification: %v", err)
		}
		if _, err := check(to, "12"); code(t, err) != "404 20404" {
			t.Errorf("a short code for nothing: %v", err)
		}
		must[*verify.VerifyV2Verification](t)(start(to))
		for _, short := range []string{"", "12", "12345678901"} {
			if _, err := check(to, short); code(t, err) != "400 60200" {
				t.Errorf("the code %q: %v", short, err)
			}
		}
		custom := new(verify.CreateVerificationParams).SetTo(to).SetChannel("sms").SetCustomCode("12")
		if _, err := api.CreateVerification(service, custom); code(t, err) != "400 60200" {
			t.Errorf("a short custom code: %v", err)
		}
		for _, p := range []*verify.CreateServiceParams{
			new(verify.CreateServiceParams).SetFriendlyName(strings.Repeat("x", 31)),
			new(verify.CreateServiceParams).SetFriendlyName("s").SetCodeLength(3), new(verify.CreateServiceParams).SetFriendlyName("s").SetCodeLength(11),
		} {
			if _, err := api.CreateService(p); code(t, err) != "400 60200" {
				t.Errorf("a service: %v", err)
			}
		}
		for _, c := range []struct{ to, channel string }{
			{"nobody", "sms"}, {"ada@example.com", "sms"}, {"nobody", "auto"}, {"nobody", "sna"},
			{to, "email"}, {"Ada <ada@example.com>", "email"}, {to, "pigeon"}, {to, "SMS"},
		} {
			_, err := api.CreateVerification(service, new(verify.CreateVerificationParams).SetTo(c.to).SetChannel(c.channel))
			if code(t, err) != "400 60200" {
				t.Errorf("%s to %s: %v", c.channel, c.to, err)
			}
		}
	})
}

func TestStudio(t *testing.T) {
	fake := newFake(t)
	api := studio.NewApiService(newClient(fake))
	definition := map[string]any{"states": []any{}, "initial_state": "Trigger"}
	flow := must[*studio.StudioV2Flow](t)(api.CreateFlow(new(studio.CreateFlowParams).SetFriendlyName("f").SetStatus("draft").SetDefinition(definition)))
	draft := new(studio.CreateExecutionParams).SetTo("+15550001111").SetFrom("+15550002222")
	if _, err := api.CreateExecution(*flow.Sid, draft); code(t, err) != "404 20404" {
		t.Errorf("a flow that was never published: %v", err)
	}
	must[*studio.StudioV2TestUser](t)(api.UpdateTestUser(*flow.Sid, new(studio.UpdateTestUserParams).SetTestUsers([]string{"+15550003333"})))
	if tester := must[*studio.StudioV2Execution](t)(api.CreateExecution(*flow.Sid, draft.SetTo("+15550003333"))); *tester.FlowVersion != 1 {
		t.Errorf("a test user runs %+v", tester)
	} else if err := api.DeleteExecution(*flow.Sid, *tester.Sid); err != nil {
		t.Error(err)
	}
	flow = must[*studio.StudioV2Flow](t)(api.UpdateFlow(*flow.Sid, new(studio.UpdateFlowParams).SetStatus("published")))
	if flow.Revision != 2 || *flow.Status != "published" || !*flow.Valid {
		t.Errorf("the flow is %+v", flow)
	}
	revisions := must[[]studio.StudioV2FlowRevision](t)(api.ListFlowRevision(*flow.Sid, nil))
	if len(revisions) != 2 || *revisions[0].Status != "draft" || revisions[1].Revision != 2 || *revisions[1].Sid != *flow.Sid {
		t.Errorf("the revisions are %+v", revisions)
	}
	start := new(studio.CreateExecutionParams).SetTo("+15550001111").SetFrom("+15550002222").SetParameters(map[string]any{"name": "Ada"})
	run := must[*studio.StudioV2Execution](t)(api.CreateExecution(*flow.Sid, start))
	if *run.Status != "active" || *run.ContactChannelAddress != "+15550001111" || run.FlowVersion == nil || *run.FlowVersion != 2 {
		t.Errorf("the execution is %+v", run)
	}
	if _, err := api.CreateExecution(*flow.Sid, start); code(t, err) != "409 20409" {
		t.Errorf("a second execution for the same contact: %v", err)
	}
	// A later draft runs only for test users, and another sender is another
	// execution.
	must[*studio.StudioV2Flow](t)(api.UpdateFlow(*flow.Sid, new(studio.UpdateFlowParams).SetStatus("draft")))
	other := must[*studio.StudioV2Execution](t)(api.CreateExecution(*flow.Sid, draft.SetTo("+15550001111").SetFrom("+15550004444")))
	if *other.FlowVersion != 2 {
		t.Errorf("after a later draft, version %v runs", *other.FlowVersion)
	}
	if err := api.DeleteExecution(*flow.Sid, *other.Sid); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]int{"LatestPublished": 2, "LatestRevision": 3} {
		if r := must[*studio.StudioV2FlowRevision](t)(api.FetchFlowRevision(*flow.Sid, name)); r.Revision != want {
			t.Errorf("%s is %d, want %d", name, r.Revision, want)
		}
	}
	context := must[*studio.StudioV2ExecutionContext](t)(api.FetchExecutionContext(*flow.Sid, *run.Sid))
	if got := fmt.Sprint((*context.Context).(map[string]any)["flow"].(map[string]any)["data"]); got != "map[name:Ada]" || *context.ExecutionSid != *run.Sid {
		t.Errorf("the context is %+v: %s", context, got)
	}
	must[*studio.StudioV2Execution](t)(api.UpdateExecution(*flow.Sid, *run.Sid, new(studio.UpdateExecutionParams).SetStatus("ended")))
	_, err := api.UpdateExecution(*flow.Sid, *run.Sid, new(studio.UpdateExecutionParams).SetStatus("active"))
	refused(t, err, "has ended")
	must[*studio.StudioV2Execution](t)(api.CreateExecution(*flow.Sid, start))
	if n := len(must[[]studio.StudioV2Execution](t)(api.ListExecution(*flow.Sid, nil))); n != 2 {
		t.Errorf("%d executions, want 2", n)
	}
	if err := api.DeleteExecution(*flow.Sid, *run.Sid); err != nil {
		t.Error(err)
	}
}

// TestVerifyAttempts lists and counts the codes that were sent.
func TestVerifyAttempts(t *testing.T) {
	fake := newFake(t)
	api := verify.NewApiService(newClient(fake))
	newService := func() string {
		return *must[*verify.VerifyV2Service](t)(api.CreateService(new(verify.CreateServiceParams).SetFriendlyName("s"))).Sid
	}
	one, other := newService(), newService()
	start := func(service, to, channel string) *verify.VerifyV2Verification {
		return must[*verify.VerifyV2Verification](t)(api.CreateVerification(service, new(verify.CreateVerificationParams).SetTo(to).SetChannel(channel)))
	}
	start(one, "+15550001111", "sms")
	v := start(one, "+15550001111", "sms") // the code is sent again
	start(other, "+447700900123", "call")
	start(other, "ada@example.com", "email")
	kept, _ := fake.Resource("verifications", *v.Sid)
	must[*verify.VerifyV2VerificationCheck](t)(api.CreateVerificationCheck(one,
		new(verify.CreateVerificationCheckParams).SetTo("+15550001111").SetCode(kept["_code"].(string))))

	list := func() *verify.ListVerificationAttemptParams { return new(verify.ListVerificationAttemptParams) }
	for what, c := range map[string]struct {
		params *verify.ListVerificationAttemptParams
		want   int
	}{
		"all": {list(), 4}, "of a service": {list().SetVerifyServiceSid(one), 2}, "of a verification": {list().SetVerificationSid(*v.Sid), 2},
		"by call": {list().SetChannel("call"), 1}, "converted": {list().SetStatus("converted"), 1},
		"in Britain": {list().SetCountry("GB"), 1}, "later": {list().SetDateCreatedAfter(time.Now().Add(time.Hour)), 0},
		"earlier": {list().SetDateCreatedBefore(time.Now().Add(time.Hour)), 4},
	} {
		if n := len(must[[]verify.VerifyV2VerificationAttempt](t)(api.ListVerificationAttempt(c.params))); n != c.want {
			t.Errorf("%s: %d attempts, want %d", what, n, c.want)
		}
	}
	// twilio-go escapes the dot in this parameter's name, and so cannot send it.
	if n := len(ask(t, fake, "GET", "https://verify.twilio.com/v2/Attempts?ChannelData.To=ada@example.com", "").items(t, "attempts")); n != 1 {
		t.Errorf("%d attempts to an address, want 1", n)
	}
	sent, _ := (*v.SendCodeAttempts)[1].(map[string]any)
	last := must[*verify.VerifyV2VerificationAttempt](t)(api.FetchVerificationAttempt(sent["attempt_sid"].(string)))
	if *last.ConversionStatus != "converted" || *last.VerificationSid != *v.Sid || *last.ServiceSid != one {
		t.Errorf("the attempt is %+v", last)
	}
	summary := func() *verify.FetchVerificationAttemptsSummaryParams {
		return new(verify.FetchVerificationAttemptsSummaryParams)
	}
	for _, c := range []struct {
		params *verify.FetchVerificationAttemptsSummaryParams
		want   string
	}{
		{summary(), "4 1 3 25"}, {summary().SetVerifyServiceSid(one), "2 1 1 50"}, {summary().SetDestinationPrefix("+44"), "1 0 1 0"}, {summary().SetChannel("whatsapp"), "0 0 0 0"},
	} {
		s := must[*verify.VerifyV2VerificationAttemptsSummary](t)(api.FetchVerificationAttemptsSummary(c.params))
		if got := fmt.Sprintf("%d %d %d %s", s.TotalAttempts, s.TotalConverted, s.TotalUnconverted, *s.ConversionRatePercentage); got != c.want {
			t.Errorf("the summary is %s, want %s", got, c.want)
		}
	}
}
