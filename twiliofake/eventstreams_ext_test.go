package twiliofake_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	streams "github.com/twilio/twilio-go/rest/events/v1"
	lookups "github.com/twilio/twilio-go/rest/lookups/v1"

	"github.com/flexfn/flexfn/twiliofake"
)

func TestEventStreams(t *testing.T) {
	fake := newFake(t)
	api := streams.NewApiService(newClient(fake))
	sink := must[*streams.EventsV1Sink](t)(api.CreateSink(new(streams.CreateSinkParams).SetDescription("d").SetSinkType("webhook").
		SetSinkConfiguration(map[string]any{"destination": "https://example.com", "method": "POST"})))
	if *sink.Status != "active" || *sink.SinkType != "webhook" {
		t.Errorf("the sink is %+v", sink)
	}
	must[*streams.EventsV1SinkTest](t)(api.CreateSinkTest(*sink.Sid))
	must[*streams.EventsV1SinkValidate](t)(api.CreateSinkValidate(*sink.Sid, new(streams.CreateSinkValidateParams).SetTestId("1")))
	if sink = must[*streams.EventsV1Sink](t)(api.FetchSink(*sink.Sid)); *sink.Status != "active" {
		t.Errorf("the sink is %s", *sink.Status)
	}
	subscribe := func(sid string, types ...any) (*streams.EventsV1Subscription, error) {
		return api.CreateSubscription(new(streams.CreateSubscriptionParams).SetDescription("d").SetSinkSid(sid).SetTypes(types))
	}
	s := must[*streams.EventsV1Subscription](t)(subscribe(*sink.Sid,
		map[string]any{"type": "com.twilio.taskrouter.task.created", "schema_version": 4}, map[string]any{"type": "com.twilio.taskrouter.task.canceled"}))
	types := must[[]streams.EventsV1SubscribedEvent](t)(api.ListSubscribedEvent(*s.Sid, nil))
	if len(types) != 2 || *types[0].Type != "com.twilio.taskrouter.task.created" || types[0].SchemaVersion != 4 || types[1].SchemaVersion != 4 {
		t.Errorf("the types are %+v", types)
	}
	must[*streams.EventsV1SubscribedEvent](t)(api.CreateSubscribedEvent(*s.Sid, new(streams.CreateSubscribedEventParams).SetType("com.twilio.taskrouter.task.deleted")))
	_, err := subscribe("DG00000000000000000000000000000009", map[string]any{"type": "a"})
	refused(t, err, "SinkSid")
	if err := fake.SetResource("event_sinks", twiliofake.Resource{"sid": "DG00000000000000000000000000000008", "status": "failed"}); err != nil {
		t.Fatal(err)
	}
	inactive := "Description=d&SinkSid=DG00000000000000000000000000000008&Types=%7B%22type%22%3A+%22a%22%7D"
	ask(t, fake, "POST", "https://events.twilio.com/v1/Subscriptions", inactive).want(t, 400, "code", 91100)
	must[*streams.EventsV1SinkValidate](t)(api.CreateSinkValidate("DG00000000000000000000000000000008", new(streams.CreateSinkValidateParams).SetTestId("1")))
	valid := ask(t, fake, "POST", "https://events.twilio.com/v1/Subscriptions", inactive).want(t, 201)
	if err := api.DeleteSubscription(valid.sid(t)); err != nil {
		t.Fatal(err)
	}
	refused(t, api.DeleteSink(*sink.Sid), "in use")
	if err := api.DeleteSubscription(*s.Sid); err != nil {
		t.Fatal(err)
	}
	if err := api.DeleteSink(*sink.Sid); err != nil {
		t.Fatal(err)
	}
	if n := len(fake.State().Resources["subscribed_events"]); n != 0 {
		t.Errorf("%d types outlive their subscription", n)
	}
}

// TestEventTypes lists the types of events with their schemas.
func TestEventTypes(t *testing.T) {
	fake := newFake(t)
	api := streams.NewApiService(newClient(fake))
	all := must[[]streams.EventsV1EventType](t)(api.ListEventType(new(streams.ListEventTypeParams).SetPageSize(7)))
	if len(all) < 40 || !slices.IsSortedFunc(all, func(a, b streams.EventsV1EventType) int { return strings.Compare(*a.Type, *b.Type) }) {
		t.Errorf("%d types: %+v", len(all), all)
	}
	for _, e := range all {
		if e.SchemaId == nil || *e.Status != "available" {
			t.Errorf("%s is %+v", *e.Type, e)
			continue
		}
		schema := must[*streams.EventsV1Schema](t)(api.FetchSchema(*e.SchemaId))
		versions := must[[]streams.EventsV1SchemaVersion](t)(api.ListSchemaVersion(*schema.Id, nil))
		if len(versions) != schema.LatestVersion {
			t.Errorf("%s has %d versions, want %d", *schema.Id, len(versions), schema.LatestVersion)
		}
	}
	const created = "com.twilio.taskrouter.task.created"
	one := must[*streams.EventsV1EventType](t)(api.FetchEventType(created))
	if *one.Type != created || *one.SchemaId != "TaskRouter.WDSEvent" || *one.Url != "https://events.twilio.com/v1/Types/"+created {
		t.Errorf("the type is %+v", one)
	}
	of := must[[]streams.EventsV1EventType](t)(api.ListEventType(new(streams.ListEventTypeParams).SetSchemaId("Studio.FlowExecution")))
	if len(of) != 2 {
		t.Errorf("the types of a schema are %+v", of)
	}
	if v := must[*streams.EventsV1SchemaVersion](t)(api.FetchSchemaVersion("TaskRouter.WDSEvent", 4)); *v.Id != "TaskRouter.WDSEvent" || v.SchemaVersion != 4 {
		t.Errorf("the version is %+v", v)
	}
	if _, err := api.FetchSchemaVersion("TaskRouter.WDSEvent", 5); code(t, err) != "404 20404" {
		t.Errorf("an unknown version: %v", err)
	}
	if _, err := api.FetchEventType("com.twilio.nothing"); code(t, err) != "404 20404" {
		t.Errorf("an unknown type: %v", err)
	}
	if _, err := api.FetchSchema("Nothing"); code(t, err) != "404 20404" {
		t.Errorf("an unknown schema: %v", err)
	}
}

func TestLookupsV1(t *testing.T) {
	fake := newFake(t)
	if err := fake.SetResource("lookups", twiliofake.Resource{"phone_number": "+15550001111", "line_type_intelligence": map[string]any{"carrier_name": "C", "type": "mobile"}}); err != nil {
		t.Fatal(err)
	}
	api := lookups.NewApiService(newClient(fake))
	n := must[*lookups.LookupsV1PhoneNumber](t)(api.FetchPhoneNumber("+15550001111", new(lookups.FetchPhoneNumberParams).SetType([]string{"carrier"})))
	if *n.CountryCode != "US" || (*n.Carrier).(map[string]any)["name"] != "C" || (*n.Carrier).(map[string]any)["type"] != "mobile" {
		t.Errorf("the number is %+v", n)
	}
	if _, err := api.FetchPhoneNumber("+1555", nil); code(t, err) != "404 20404" {
		t.Errorf("an impossible number: %v", err)
	}
}

// TestConfigurationWriters has forty clients write different keys of Flex's
// configuration at once. No write is lost.
func TestConfigurationWriters(t *testing.T) {
	fake := newFake(t)
	const configuration = "https://flex-api.twilio.com/v1/Configuration"
	keys := []string{"ui_attributes", "attributes", "public_attributes", "plugin_service_attributes"}
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			body := fmt.Sprintf(`{"account_sid":%q,%q:{"n":%d}}`, account, keys[i%4], i/4)
			ask(t, fake, "POST", configuration, body, "Content-Type", "application/json").want(t, 200)
		})
	}
	wg.Wait()
	a := ask(t, fake, "GET", configuration, "").want(t, 200)
	for _, k := range keys {
		if m, ok := a.body[k].(map[string]any); !ok || m["n"] == nil {
			t.Errorf("%s is %v", k, a.body[k])
		}
	}
}
