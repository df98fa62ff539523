package twiliofake

import (
	"net"
	"strings"
)

// product returns the product in a Host header: "taskrouter" for
// taskrouter.twilio.com, taskrouter.ie1.twilio.com and
// taskrouter.dublin.ie1.twilio.com, with or without a port. It is "" for any
// other host, which then gets a 501. See
// https://www.twilio.com/docs/global-infrastructure.
func product(host string) string {
	if strings.Contains(host, ":") {
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
	}
	name, ok := strings.CutSuffix(strings.ToLower(host), ".twilio.com")
	if !ok {
		return ""
	}
	labels := strings.Split(name, ".")
	if len(labels) > 3 { // product, edge, region
		return ""
	}
	return labels[0]
}
