package flexfn

import "time"

// Attempt describes one try of a web-service call, after it ended. It is what
// [Config].OnAttempt receives.
type Attempt struct {
	// RequestID is that of the request being answered; empty outside one.
	RequestID string
	// Function is the path of the function that made the call; empty
	// outside a function.
	Function string
	// Number counts the tries of one call, from 1.
	Number int
	// Method, Host and Path are of the last request that the try sent
	// through the app's client; empty when it sent none. The query is left
	// out, since it can hold personal data.
	Method, Host, Path string
	// Status is the HTTP status of the answer; zero when none came.
	Status int
	// Err is why the try failed; nil when it succeeded.
	Err error
	// Duration is how long the try took.
	Duration time.Duration
	// Wait is the pause before the next try; zero when there is none, or
	// when the next try is made at once.
	Wait time.Duration
	// Retried says that another try follows.
	Retried bool
	// TwilioRequestID is the answer's Twilio-Request-Id header.
	TwilioRequestID string
}
