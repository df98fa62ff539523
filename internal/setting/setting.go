// Package setting lists the environment variables that configure an app.
// Package flexfn reads them; the flexfn command checks and documents them.
package setting

import (
	"slices"

	"github.com/flexfn/flexfn/internal/link"
)

// Setting is one setting that the environment can configure.
type Setting struct {
	// Names are the names of the variable; the first is the usual one.
	Names []string
	// Doc says what it does, with unit, default and bounds.
	Doc string
	// EmptyCounts says that an empty value is not the same as unset.
	EmptyCounts bool
	// Secret says that the value can also come from a file, whose path is in
	// the variable with [FileSuffix] after its name.
	Secret bool
}

// FileSuffix is the suffix of the variable that holds the path of a secret's
// file.
const FileSuffix = "_FILE"

// App lists the variables that flexfn.FromEnv reads.
func App() []Setting { return slices.Clone(app) }

var app = []Setting{
	{Names: []string{"ACCOUNT_SID", "TWILIO_ACCOUNT_SID"}, Doc: "the Twilio account's SID; required"},
	{Names: []string{"AUTH_TOKEN", "TWILIO_AUTH_TOKEN"}, Secret: true, Doc: "the account's auth token; required; AUTH_TOKEN_FILE names a file that holds it"},
	{Names: []string{"TWILIO_API_KEY"}, Doc: "an API key's SID, used for REST calls instead of the auth token; with TWILIO_API_SECRET"},
	{Names: []string{"TWILIO_API_SECRET"}, Secret: true, Doc: "the API key's secret; TWILIO_API_SECRET_FILE names a file that holds it"},
	{Names: []string{"TWILIO_REGION"}, Doc: "Twilio's processing region, such as ie1; unset is the United States"},
	{Names: []string{"TWILIO_EDGE"}, Doc: "Twilio's edge location, such as dublin"},
	{Names: []string{"TWILIO_FLEX_WORKSPACE_SID"}, Doc: "the Flex workspace's SID; needed by functions that use TaskRouter"},
	{Names: []string{"FLEXFN_TWILIO_URL"}, Doc: "a base URL that receives every request for *.twilio.com, such as http://127.0.0.1:8080; for fakes and proxies"},
	{Names: []string{"FLEXFN_ALLOWED_ORIGINS"}, EmptyCounts: true, Doc: "the web origins that may call, separated by commas; unset or * allows any"},
	{Names: []string{"FLEXFN_ALLOWED_HEADERS"}, Doc: "headers that pages of other origins may send in addition to Authorization, Content-Type and Idempotency-Key, such as baggage, separated by commas"},
	{Names: []string{"FLEXFN_EXPOSED_HEADERS"}, Doc: "headers of answers that pages of other origins may read in addition to Retry-After and X-Request-Id, separated by commas"},
	{Names: []string{"FLEXFN_FLEX_DEADLINE"}, Doc: "the most time that a Flex function has, such as 5s; 10s when unset"},
	{Names: []string{"FLEXFN_STUDIO_DEADLINE"}, Doc: "the most time that a Studio function has; 8s when unset"},
	{Names: []string{"FLEXFN_MAX_CALLS"}, Doc: "how many calls of one function may run at once, including those past their deadline; further calls are answered 503; from 1 to 1000000; when unset 1000, or half of what the limit of open files leaves"},
	{Names: []string{"FLEXFN_MAX_BODY_BYTES"}, Doc: "the longest request body, in bytes; 6291456 when unset"},
	{Names: []string{"FLEXFN_MAX_BODIES_BYTES"}, Doc: "the bytes of all request bodies that are under way at once, at least one and a half times FLEXFN_MAX_BODY_BYTES; more are answered 503; 16777216 when unset"},
	{Names: []string{"FLEXFN_TOKEN_TTL"}, Doc: "how long an accepted Flex token is trusted before Twilio is asked again; from 1s to 10m; 1m when unset"},
	{Names: []string{"FLEXFN_STORE_SECRET"}, Secret: true, Doc: "names and seals what is in the store that instances share; at least 32 characters; the auth token when unset, whose rotation then forgets everything; FLEXFN_STORE_SECRET_FILE names a file that holds it"},
	{Names: []string{"TWILIO_SERVICE_RETRY_LIMIT"}, Doc: "the most retries of a web-service call, after its first attempt; 5 when unset"},
	{Names: []string{"TWILIO_SERVICE_MIN_BACKOFF"}, Doc: "the shortest wait before a retry, in milliseconds; 100 when unset"},
	{Names: []string{"TWILIO_SERVICE_MAX_BACKOFF"}, Doc: "the longest wait before a retry, in milliseconds; 300 when unset"},
	{Names: []string{"FLEXFN_ATTEMPT_TIMEOUT"}, Doc: "how long one attempt of a call to a web service may take; 0: until the deadline; 5s when unset"},
	{Names: []string{"FLEXFN_RETRY_BUDGET"}, Doc: "how many retries an outage may cost before they are held to a tenth of the calls; 100 when unset, off for no such limit"},
	{Names: []string{"ENABLE_LOCAL_LOGGING"}, Doc: "true logs every attempt of a web-service call; false when unset"},
	{Names: []string{"PUBLIC_URL"}, Doc: "the beginning of the URLs under which Twilio calls the app, exactly as written in Twilio, such as https://functions.example.com; the request's Host header when unset"},
	{Names: []string{"FLEXFN_ADDED_PATH_PREFIX"}, Doc: "a path that the gateway puts before the one that Twilio called, such as /internal"},
	{Names: []string{"FLEXFN_TRUSTED_PROXIES"}, EmptyCounts: true, Doc: "the proxies whose X-Forwarded-Proto, -Host and -Port are trusted: addresses and networks such as 10.0.0.0/8, separated by commas, or the word anyone; none when unset"},
	{Names: []string{"FLEXFN_PREVIOUS_AUTH_TOKENS"}, Secret: true, Doc: "auth tokens with which Twilio may still sign while AUTH_TOKEN is being rotated, separated by commas; FLEXFN_PREVIOUS_AUTH_TOKENS_FILE names a file that holds them"},
	{Names: []string{"FLEXFN_SHARED_KEYS"}, Secret: true, Doc: "the secrets of Twilio's SharedKeys with which webhooks are signed, as id=secret, separated by commas; FLEXFN_SHARED_KEYS_FILE names a file that holds them"},
	{Names: []string{link.KeyVariable}, Doc: "set by flexfn dev for the program that it runs, which then answers to flexfn dev alone and shows the text of unexpected errors; never set it yourself"},
	{Names: []string{link.DescribeVariable}, Doc: "set by flexfn gen: the program prints the OpenAPI document of its functions and exits, even if other variables are missing or wrong; the value may set the document's title, version, server and trim, written like a URL's query"},
}
