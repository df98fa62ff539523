package twiliofake

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	openapi "github.com/twilio/twilio-go/rest/api/v2010"
	chat "github.com/twilio/twilio-go/rest/chat/v2"
	conversations "github.com/twilio/twilio-go/rest/conversations/v1"
	tr "github.com/twilio/twilio-go/rest/taskrouter/v1"
	voice "github.com/twilio/twilio-go/rest/voice/v1"
)

// TestTable finds mistakes that are easy to make in a new row.
func TestTable(t *testing.T) {
	names := map[string]bool{}
	for _, r := range table() {
		if names[r.name] {
			t.Errorf("%s: the name is taken", r.name)
		}
		names[r.name] = true
		has := func(name string) bool {
			return slices.ContainsFunc(r.fields, func(f field) bool { return f.name == name })
		}
		for _, f := range r.fields {
			if f.initial != nil {
				if _, ok := f.kind.fits(f.initial); !ok {
					t.Errorf("%s: %s cannot have the initial value %v", r.name, f.name, f.initial)
				}
			}
			if f.set != never && r.special == nil && !r.bare {
				if got, ok := r.field(r.param(f.name)); !ok || got.name != f.name {
					t.Errorf("%s: no parameter sets %s", r.name, f.name)
				}
				if f.set&onCreate != 0 && r.can&create == 0 || f.set&onUpdate != 0 && r.can&update == 0 {
					t.Errorf("%s: %s is set by a request that the row does not have", r.name, f.name)
				}
			}
		}
		for _, f := range r.filters {
			if !has(f) {
				t.Errorf("%s: filter %s is not a field", r.name, f)
			}
		}
		for p, f := range r.params {
			if !has(f) {
				t.Errorf("%s: parameter %s sets %s, which is not a field", r.name, p, f)
			}
		}
		for _, a := range r.alias {
			if !has(a) && !r.table {
				t.Errorf("%s: alias %s is not a field", r.name, a)
			}
		}
		if r.can&create != 0 && r.prefix == "" && !r.table && r.name != "participants" && r.special == nil {
			t.Errorf("%s: new items have no SID", r.name)
		}
		// Items below others have the SIDs of their parents in their bodies.
		for _, v := range variables(r.paths[0]) {
			if v != "account_sid" && v != "sid" && !has(v) && !r.bare && !r.table && r.special == nil {
				t.Errorf("%s: variable %s is not a field", r.name, v)
			}
		}
	}
}

// TestParameters compares the parameters of rows with those that twilio-go can
// send: a misspelt one could never be set.
func TestParameters(t *testing.T) {
	params := map[string]struct{ create, update, list any }{
		"accounts":                      {openapi.CreateAccountParams{}, openapi.UpdateAccountParams{}, openapi.ListAccountParams{}},
		"conferences":                   {nil, openapi.UpdateConferenceParams{}, openapi.ListConferenceParams{}},
		"participants":                  {openapi.CreateParticipantParams{}, openapi.UpdateParticipantParams{}, openapi.ListParticipantParams{}},
		"calls":                         {openapi.CreateCallParams{}, openapi.UpdateCallParams{}, openapi.ListCallParams{}},
		"recordings":                    {openapi.CreateCallRecordingParams{}, openapi.UpdateCallRecordingParams{}, openapi.ListRecordingParams{}},
		"incoming_phone_numbers":        {openapi.CreateIncomingPhoneNumberParams{}, openapi.UpdateIncomingPhoneNumberParams{}, openapi.ListIncomingPhoneNumberParams{}},
		"outgoing_caller_ids":           {nil, openapi.UpdateOutgoingCallerIdParams{}, openapi.ListOutgoingCallerIdParams{}},
		"messages":                      {openapi.CreateMessageParams{}, openapi.UpdateMessageParams{}, openapi.ListMessageParams{}},
		"workspaces":                    {tr.CreateWorkspaceParams{}, tr.UpdateWorkspaceParams{}, tr.ListWorkspaceParams{}},
		"activities":                    {tr.CreateActivityParams{}, tr.UpdateActivityParams{}, tr.ListActivityParams{}},
		"task_channels":                 {tr.CreateTaskChannelParams{}, tr.UpdateTaskChannelParams{}, tr.ListTaskChannelParams{}},
		"task_queues":                   {tr.CreateTaskQueueParams{}, tr.UpdateTaskQueueParams{}, tr.ListTaskQueueParams{}},
		"workflows":                     {tr.CreateWorkflowParams{}, tr.UpdateWorkflowParams{}, tr.ListWorkflowParams{}},
		"workers":                       {tr.CreateWorkerParams{}, tr.UpdateWorkerParams{}, tr.ListWorkerParams{}},
		"worker_channels":               {nil, tr.UpdateWorkerChannelParams{}, tr.ListWorkerChannelParams{}},
		"tasks":                         {tr.CreateTaskParams{}, tr.UpdateTaskParams{}, tr.ListTaskParams{}},
		"reservations":                  {nil, tr.UpdateTaskReservationParams{}, tr.ListTaskReservationParams{}},
		"conversation_services":         {conversations.CreateServiceParams{}, nil, conversations.ListServiceParams{}},
		"conversations":                 {conversations.CreateConversationParams{}, conversations.UpdateConversationParams{}, conversations.ListConversationParams{}},
		"conversation_participants":     {conversations.CreateConversationParticipantParams{}, conversations.UpdateConversationParticipantParams{}, nil},
		"conversation_messages":         {conversations.CreateConversationMessageParams{}, conversations.UpdateConversationMessageParams{}, nil},
		"chat_services":                 {chat.CreateServiceParams{}, chat.UpdateServiceParams{}, nil},
		"chat_channels":                 {chat.CreateChannelParams{}, chat.UpdateChannelParams{}, chat.ListChannelParams{}},
		"chat_members":                  {chat.CreateMemberParams{}, chat.UpdateMemberParams{}, chat.ListMemberParams{}},
		"chat_messages":                 {chat.CreateMessageParams{}, chat.UpdateMessageParams{}, nil},
		"chat_users":                    {chat.CreateUserParams{}, chat.UpdateUserParams{}, nil},
		"dialing_permissions_countries": {nil, nil, voice.ListDialingPermissionsCountryParams{}},
	}
	for _, r := range table() {
		p, ok := params[r.name]
		if !ok {
			continue
		}
		delete(params, r.name)
		check := func(what, param string, in any) {
			if in == nil {
				t.Errorf("%s: %s has the parameter %s, but twilio-go has no such request", r.name, what, param)
			} else if _, ok := reflect.TypeOf(in).FieldByName(param); !ok {
				t.Errorf("%s: twilio-go's %T has no %s", r.name, in, param)
			}
		}
		for _, f := range r.fields {
			param := r.param(f.name)
			if f.set&onCreate != 0 {
				check("create", param, p.create)
			}
			if f.set&onUpdate != 0 && r.can&update != 0 {
				check("update", param, p.update)
			}
			if slices.Contains(r.filters, f.name) {
				check("list", param, p.list)
			}
		}
	}
	for name := range params {
		t.Errorf("no row %s", name)
	}
}

// TestDocumented keeps the list in docs/fake.md complete.
func TestDocumented(t *testing.T) {
	b, err := os.ReadFile("../docs/fake.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range table() {
		if r.special != nil && r.fields == nil {
			continue // it has no items
		}
		if !strings.Contains(string(b), "`"+r.name+"`") {
			t.Errorf("docs/fake.md does not name %s", r.name)
		}
	}
}
