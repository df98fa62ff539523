package flexfn

import (
	"errors"
	"net/http"
	"time"

	"github.com/flexfn/flexfn/signature"
)

// newVerifier makes what tells Twilio's requests from others.
func newVerifier(c Config) (*signature.Verifier, error) {
	return signature.New(signature.Config{
		AccountSID:           c.AccountSID,
		AuthTokens:           append([]string{c.AuthToken}, c.PreviousAuthTokens...),
		PublicURL:            c.PublicURL,
		AddedPathPrefix:      c.AddedPathPrefix,
		ProxyTrust:           c.ProxyTrust,
		SubaccountAuthTokens: c.SubaccountAuthTokens,
	})
}

// checkSignature lets only Twilio call. The log says why another was refused,
// the answer does not.
func (c *call) checkSignature(body []byte) error {
	_, err := c.app.signed.Verify(c, c.request, body)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, signature.ErrUnavailable):
		return &Error{Status: http.StatusServiceUnavailable, Message: "The signature cannot be checked at the moment; try again", RetryAfter: time.Second, Err: err}
	}
	c.logger().WarnContext(c, "signature refused", "reason", err)
	return &Error{Status: http.StatusForbidden, Message: "Unauthorized: the request does not carry Twilio's signature", Err: err}
}
