package twiliofake

// apiRows are the resources of api.twilio.com. Their hooks are in voice.go,
// except for queues, which are in queues.go with their rows. See
// https://www.twilio.com/docs/voice/api and
// https://www.twilio.com/docs/iam/api/account. In this API every path names the
// account, dates are RFC 1123, numbers such as durations are strings, and lists
// have uri fields instead of meta.
func apiRows() []resource {
	return []resource{
		{
			// The first account of the state is the main one; a create makes a
			// sub-account of it, with its own auth token.
			name: "accounts", host: "api", prefix: "AC",
			paths: []string{"/2010-04-01/Accounts/{sid}.json"},
			can:   create | fetch | update | list,
			fields: []field{
				{"auth_token", text, nil, never},
				{"friendly_name", text, "Development", always},
				{"owner_account_sid", text, nil, never},
				{"status", text, "active", onUpdate},
				{"type", text, "Full", never},
			},
			filters: []string{"friendly_name", "status"},
			create:  createAccount,
			view:    viewAccount,
		},
		{
			// An API key authenticates like its account, with its SID as the
			// user and _secret as the password.
			name: "keys", host: "api", prefix: "SK",
			paths: []string{"/2010-04-01/Accounts/{account_sid}/Keys/{sid}.json"},
			can:   create | fetch | update | remove | list,
			fields: []field{
				{"friendly_name", text, nil, always},
			},
			create: createKey,
			view:   viewKey,
		},
		{
			// A conference begins with its first participant, so none can be
			// created; it ends with the last one, or when status becomes
			// completed.
			name: "conferences", host: "api", prefix: "CF", newest: true,
			paths: []string{"/2010-04-01/Accounts/{account_sid}/Conferences/{sid}.json"},
			can:   fetch | update | list,
			fields: []field{
				{"api_version", text, "2010-04-01", never},
				{"friendly_name", text, nil, never},
				{"region", text, "us1", never},
				{"status", text, "in-progress", onUpdate},
				{"reason_conference_ended", text, nil, never},
				{"call_sid_ending_conference", text, nil, never},
			},
			filters: []string{"friendly_name", "status"},
			update:  updateConference,
		},
		{
			// A participant is found by its call's SID or by its label. Adding
			// one places a call; see createParticipant.
			name: "participants", host: "api", alias: []string{"label"}, founding: true,
			paths: []string{"/2010-04-01/Accounts/{account_sid}/Conferences/{conference_sid}/Participants/{call_sid}.json"},
			can:   all,
			fields: []field{
				{"conference_sid", text, nil, never},
				{"call_sid", text, nil, never},
				{"label", text, nil, onCreate},
				{"call_sid_to_coach", text, nil, always},
				{"coaching", boolean, false, always},
				{"end_conference_on_exit", boolean, false, always},
				{"muted", boolean, false, always},
				{"hold", boolean, false, onUpdate},
				{"start_conference_on_enter", boolean, true, onCreate},
				{"status", text, "connected", never},
				{"queue_time", text, "0", never},
			},
			filters: []string{"muted", "hold", "coaching"},
			create:  createParticipant,
			update:  updateParticipant,
			remove:  removeParticipant,
		},
		{
			// A call is answered as soon as it is made, so it is in progress
			// from the start. Other statuses come from the state document.
			name: "calls", host: "api", prefix: "CA", newest: true,
			paths: []string{"/2010-04-01/Accounts/{account_sid}/Calls/{sid}.json"},
			can:   all,
			fields: []field{
				{"parent_call_sid", text, nil, never},
				{"to", text, nil, onCreate},
				{"to_formatted", text, nil, never},
				{"from", text, nil, onCreate},
				{"from_formatted", text, nil, never},
				{"phone_number_sid", text, nil, never},
				{"status", text, "in-progress", onUpdate},
				{"start_time", text, nil, never},
				{"end_time", text, nil, never},
				{"duration", text, nil, never},
				{"price", text, nil, never},
				{"price_unit", text, "USD", never},
				{"direction", text, "inbound", never},
				{"answered_by", text, nil, never},
				{"annotation", text, nil, never},
				{"api_version", text, "2010-04-01", never},
				{"forwarded_from", text, nil, never},
				{"group_sid", text, nil, never},
				{"caller_name", text, nil, never},
				{"queue_time", text, "0", never},
				{"trunk_sid", text, nil, never},
			},
			filters: []string{"to", "from", "parent_call_sid", "status"},
			create:  createCall,
			update:  updateCall,
			remove:  removeCall,
		},
		{
			// A recording belongs to the account, and is also listed below its
			// call and its conference, by the SIDs in its fields.
			name: "recordings", host: "api", prefix: "RE", newest: true,
			paths: []string{
				"/2010-04-01/Accounts/{account_sid}/Recordings/{sid}.json",
				"/2010-04-01/Accounts/{account_sid}/Calls/{call_sid}/Recordings/{sid}.json",
				"/2010-04-01/Accounts/{account_sid}/Conferences/{conference_sid}/Recordings/{sid}.json",
			},
			can: all,
			fields: []field{
				{"api_version", text, "2010-04-01", never},
				{"call_sid", text, nil, never},
				{"conference_sid", text, nil, never},
				{"start_time", text, nil, never},
				{"duration", text, nil, never},
				{"price", text, nil, never},
				{"price_unit", text, "USD", never},
				{"status", text, "in-progress", onUpdate},
				{"channels", integer, 1, never},
				{"source", text, "StartCallRecordingAPI", never},
				{"error_code", integer, nil, never},
				{"encryption_details", value, nil, never},
				{"track", text, "both", onCreate},
			},
			params:  map[string]string{"RecordingTrack": "track"},
			filters: []string{"call_sid", "conference_sid"},
			find:    currentRecording,
			create:  createRecording,
			update:  updateRecording,
			media:   recordingMedia,
			view:    viewRecording,
		},
		{
			// A transcription stops when it is updated, by its SID or its name.
			name: "realtime_transcriptions", host: "api", prefix: "GT", table: true, can: create | update,
			paths: []string{"/2010-04-01/Accounts/{account_sid}/Calls/{call_sid}/Transcriptions/{sid}.json"},
			alias: []string{"name"}, unique: []unique{{field: "name", code: 20409}},
			fields: []field{{"status", text, "in-progress", never}},
			create: func(c *call, _ *record) *apiError { return c.inProgress(c.parent) },
			update: func(c *call, _ *record) *apiError {
				if c.before.text("status") != "in-progress" {
					return invalid("The transcription has stopped")
				}
				return nil
			},
		},
		{
			// Verified numbers come from the state, since verifying one means
			// answering a call.
			name: "outgoing_caller_ids", host: "api", prefix: "PN",
			paths: []string{"/2010-04-01/Accounts/{account_sid}/OutgoingCallerIds/{sid}.json"},
			can:   fetch | update | remove | list,
			fields: []field{
				{"friendly_name", text, nil, onUpdate},
				{"phone_number", text, nil, never},
			},
			filters: []string{"friendly_name", "phone_number"},
		},
		{
			// Nothing is sent. A message stays queued, or accepted if a
			// messaging service chooses its sender, until a test changes its
			// status.
			name: "messages", host: "api", prefix: "SM", newest: true,
			paths: []string{"/2010-04-01/Accounts/{account_sid}/Messages/{sid}.json"},
			can:   all,
			fields: []field{
				{"api_version", text, "2010-04-01", never},
				{"body", text, nil, always},
				{"date_sent", text, nil, never},
				{"direction", text, "outbound-api", never},
				{"error_code", integer, nil, never},
				{"error_message", text, nil, never},
				{"from", text, nil, onCreate},
				{"messaging_service_sid", text, nil, onCreate},
				{"num_media", text, "0", never},
				{"num_segments", text, "1", never},
				{"price", text, nil, never},
				{"price_unit", text, "USD", never},
				{"status", text, "queued", onUpdate},
				{"to", text, nil, onCreate},
			},
			filters: []string{"to", "from"},
			create:  createMessage,
			update:  updateMessage,
		},
	}
}
