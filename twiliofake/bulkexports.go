package twiliofake

// exportRows are the jobs of bulkexports.twilio.com. A job is created and listed
// below a type of resource and then has a path of its own. See
// https://www.twilio.com/docs/usage/bulkexport/jobs. The fake exports nothing: a
// job stays the first in the queue.
func exportRows() []resource {
	return []resource{{
		name: "export_jobs", host: "bulkexports", table: true, can: create | fetch | remove | list, bare: true,
		paths: []string{"/v1/Exports/{resource_type}/Jobs/{job_sid}", "/v1/Exports/Jobs/{job_sid}"},
		fields: []field{
			{"details", value, []any{}, never},
			{"job_queue_position", text, "1", never},
		},
	}}
}
