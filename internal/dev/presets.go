package dev

import (
	"net/http"
	"time"

	"github.com/flexfn/flexfn/twiliofake"
)

// A preset is a fault that the console switches on with a click. Its title is
// the rule's name.
type preset struct {
	Rule twiliofake.Fault `json:"rule"`
	Doc  string           `json:"doc"`
}

// presets returns the faults that the console offers. They are the failures
// that an app for Twilio must survive: a conflict, a limit, an outage,
// slowness, an answer that is lost, and none at all. docs/fake.md explains the
// fields of a rule.
func presets() []preset {
	tasks := twiliofake.Match{Method: http.MethodPost, Host: "taskrouter", Path: "/v1/Workspaces/*/Tasks/*"}
	return []preset{
		{twiliofake.Fault{Name: "The next 3 task updates answer 412", Match: tasks, Times: 3, Status: 412},
			"Someone else changed the task: it is read and updated again, at once."},
		{twiliofake.Fault{Name: "The next request answers 429", Match: twiliofake.Match{Path: "/v1/**"}, Times: 1, Status: 429, RetryAfter: "1"},
			"Too many requests, with Retry-After: 1. For TaskRouter, IAM and Conversations."},
		{twiliofake.Fault{Name: "Twilio rate limits at 5 a second", Action: twiliofake.RateLimit, PerSecond: 5},
			"More requests in a second answer 429."},
		{twiliofake.Fault{Name: "IAM is down", Match: twiliofake.Match{Host: "iam"}, Status: 503},
			"Flex tokens cannot be checked; those that were checked in the last minute still count."},
		{twiliofake.Fault{Name: "Twilio answers 503 half of the time", Probability: 0.5, Status: 503},
			"An outage that retries can get over."},
		{twiliofake.Fault{Name: "Twilio is slow", Action: twiliofake.Slow, Delay: 2 * time.Second},
			"Every answer takes two seconds more."},
		{twiliofake.Fault{Name: "Answers to new calls are lost", Match: twiliofake.Match{Method: http.MethodPost, Path: "/2010-04-01/Accounts/*/Calls.json"}, Action: twiliofake.ResetAfter, Apply: true},
			"The call is made, but the connection breaks before the answer: it must not be made twice."},
		{twiliofake.Fault{Name: "Twilio does not answer", Action: twiliofake.Hang},
			"Every request hangs until its attempt's time is over."},
	}
}
