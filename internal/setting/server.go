package setting

// Server lists the variables that package host reads on every platform. The
// variables by which it detects a platform are in docs/hosting.md.
func Server() []Setting {
	return []Setting{
		{Names: []string{"PORT"}, Doc: "the port to listen on; 8080 when unset (flexfn serve: 3001)"},
		{Names: []string{"FLEXFN_LISTEN"}, Doc: "the address to listen on instead, such as :8080, 127.0.0.1:8080 or unix:/run/flexfn/http.sock"},
		{Names: []string{"FLEXFN_PLATFORM"}, Doc: "the platform, if it is detected wrongly; docs/hosting.md lists the names"},
		{Names: []string{"FLEXFN_TLS_CERT_FILE"}, Doc: "a PEM file with the certificate; with FLEXFN_TLS_KEY_FILE it makes the server speak HTTPS; both are read again when they change"},
		{Names: []string{"FLEXFN_TLS_KEY_FILE"}, Doc: "a PEM file with the certificate's private key"},
		{Names: []string{"FLEXFN_STRIP_PREFIX"}, Doc: "a path such as /api that the gateway leaves in front of the functions' paths; signatures are still checked with it"},
		{Names: []string{"FLEXFN_REQUEST_LIMIT"}, Doc: "the platform's time for a request, such as 15s, if the platform does not announce it"},
		{Names: []string{"FLEXFN_LAME_DUCK"}, Doc: "how long to keep serving after the signal to end, while reporting not ready; 5s on Kubernetes, a second more than of-watchdog's healthcheck_interval on OpenFaaS, otherwise 0s"},
		{Names: []string{"FLEXFN_DRAIN"}, Doc: "how long requests under way may take after that; 8s on Cloud Run, otherwise 20s"},
		{Names: []string{"FLEXFN_LAMBDA_STREAMING"}, Doc: "true if, and only if, the Lambda function URL's invoke mode is RESPONSE_STREAM, or the REST API's response transfer mode is STREAM"},
		{Names: []string{"FLEXFN_MAX_CONNECTIONS"}, Doc: "how many connections of callers may be open at once; further ones wait, and idle ones are closed to make room; when unset, half of what the limit of open files leaves, so that functions can still reach Twilio"},
		{Names: []string{"FLEXFN_MAX_HTTP2_CONNECTIONS"}, Doc: "how many of them may speak HTTP/2 at once; later clients use HTTP/1.1; 16 when unset; more if a proxy that speaks nothing but HTTP/2 opens more"},
	}
}
