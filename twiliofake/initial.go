package twiliofake

import "sync"

// initialFields are the values that Twilio gives new items of the generic layer
// where no parameter does, by kind: statuses, and parameters whose documentation
// names a default. Each comment names the page of https://www.twilio.com/docs
// that lists them, or the model of twilio-go whose comments or constants do.
var initialFields = sync.OnceValue(func() map[string][]fieldValue {
	return map[string][]fieldValue{
		// voice/api/siprec-resource, voice/api/stream-resource
		"api/Calls/Siprec":  {{"status", "in-progress"}},
		"api/Calls/Streams": {{"status", "in-progress"}},
		// conversations/v2: ConversationsV2ConversationStatus, ConversationsV2ActionStatus
		"conversations/v2/Conversations":         {{"status", "ACTIVE"}},
		"conversations/v2/Conversations/Actions": {{"status", "PENDING"}},
		// insights/v2: ReportStatus
		"insights/v2/Voice/Reports":                       {{"status", "created"}},
		"insights/v2/Voice/Reports/PhoneNumbers/Inbound":  {{"status", "created"}},
		"insights/v2/Voice/Reports/PhoneNumbers/Outbound": {{"status", "created"}},
		// conversational-intelligence/api/transcript-resource
		"intelligence/v2/Transcripts": {{"status", "queued"}},
		// knowledge/v1: KnowledgeV1Knowledge; knowledge/v2: Knowledge
		"knowledge/v1/Knowledge":                {{"status", "QUEUED"}},
		"knowledge/v2/KnowledgeBases/Knowledge": {{"status", "SCHEDULED"}},
		// messaging/api/usapptoperson-resource, tollfree-verification-resource,
		// brand-registration-resource, brand-vetting-resource;
		// whatsapp/api/senders
		"messaging/v1/Services/Compliance/Usa2p":       {{"campaign_status", "IN_PROGRESS"}},
		"messaging/v1/Tollfree/Verifications":          {{"status", "PENDING_REVIEW"}},
		"messaging/v1/a2p/BrandRegistrations":          {{"status", "PENDING"}},
		"messaging/v1/a2p/BrandRegistrations/Vettings": {{"vetting_status", "PENDING"}},
		"messaging/v2/Channels/Senders":                {{"status", "CREATING"}},
		// phone-numbers/hosted-numbers/hosted-numbers-api, phone-numbers/port-in;
		// numbers/v1: NumbersV1BulkEligibility, NumbersV1CreateEmbeddedRegistrationResponse
		"numbers/v1/HostedNumber/Eligibility/Bulk":       {{"status", "IN_PROGRESS"}},
		"numbers/v1/Porting/PortIn":                      {{"port_in_request_status", "In Review"}},
		"numbers/v1/SenderIdRegistrations":               {{"status", "DRAFT"}},
		"numbers/v2/HostedNumber/AuthorizationDocuments": {{"status", "opened"}},
		"numbers/v2/HostedNumber/Orders":                 {{"status", "received"}},
		"numbers/v2/HostedNumber/Orders/Bulk":            {{"request_status", "QUEUED"}},
		// phone-numbers/regulatory/api. An evaluation of a bundle without documents
		// does not comply.
		"numbers/v2/RegulatoryCompliance/Bundles":             {{"status", "draft"}},
		"numbers/v2/RegulatoryCompliance/Bundles/Copies":      {{"status", "draft"}},
		"numbers/v2/RegulatoryCompliance/Bundles/Evaluations": {{"status", "noncompliant"}},
		"numbers/v2/RegulatoryCompliance/SupportingDocuments": {{"status", "draft"}},
		// studio/rest-api/v1/engagement
		"studio/Flows/Engagements": {{"status", "active"}},
		// iot/supersim/api
		"supersim/v1/ESimProfiles": {{"status", "new"}},
		"supersim/v1/IpCommands":   {{"status", "queued"}},
		"supersim/v1/Sims":         {{"status", "new"}},
		"supersim/v1/SmsCommands":  {{"status", "queued"}},
		// trust-hub/trusthub-rest-api
		"trusthub/v1/CustomerProfiles":                 {{"status", "draft"}},
		"trusthub/v1/CustomerProfiles/Evaluations":     {{"status", "noncompliant"}},
		"trusthub/v1/CustomerProfiles/ProvisionalCopy": {{"status", "draft"}},
		"trusthub/v1/SupportingDocuments":              {{"status", "draft"}},
		"trusthub/v1/TrustProducts":                    {{"status", "draft"}},
		"trusthub/v1/TrustProducts/Evaluations":        {{"status", "noncompliant"}},
		"trusthub/v1/TrustProducts/ProvisionalCopy":    {{"status", "draft"}},
		// verify/api/challenge, verify/api/factor
		"verify/v2/Services/Entities/Challenges": {{"status", "pending"}},
		"verify/v2/Services/Entities/Factors":    {{"status", "unverified"}},
		// video/api/compositions-resource, video/api/transcriptions
		"video/v1/CompositionHooks":     {{"resolution", "640x480"}, {"trim", true}},
		"video/v1/Compositions":         {{"status", "enqueued"}, {"resolution", "640x480"}, {"trim", true}},
		"video/v1/Rooms/Transcriptions": {{"status", "started"}},
		// voice/v3: VoiceV3LongRunningOperationResponse
		"voice/v3/Transcriptions": {{"status", "PENDING"}},
		// proxy/api/session
		"proxy/v1/Services/Sessions": {{"status", "open"}, {"mode", "voice-and-message"}},
		// iot/wireless/api/command-resource
		"wireless/v1/Commands": {{"status", "queued"}, {"delivery_receipt_requested", true}},

		// Defaults that twilio-go's comments on the parameters name.
		"api/SIP/IpAccessControlLists/IpAddresses": {{"cidr_prefix_length", 32}},
		"api/Usage/Triggers":                       {{"callback_method", "POST"}},
		"intelligence/v2/Services":                 {{"language_code", "en-US"}},
		"notify/v1/Services":                       {{"log_enabled", true}, {"delivery_callback_enabled", false}},
		"supersim/v1/Fleets": {
			{"data_enabled", true}, {"data_limit", 1000}, {"ip_commands_method", "POST"},
			{"sms_commands_enabled", true}, {"sms_commands_method", "POST"},
		},
		"verify/v2/Services/AccessTokens":     {{"ttl", 60}},
		"verify/v2/Services/Webhooks":         {{"status", "enabled"}},
		"voice/v1/ConnectionPolicies/Targets": {{"enabled", true}, {"priority", 10}, {"weight", 10}},
		"voice/v1/IpRecords":                  {{"cidr_prefix_length", 32}},
		"wireless/v1/RatePlans":               {{"data_limit", 1000}},
	}
})

type fieldValue struct {
	name  string
	value any
}
