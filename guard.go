package flexfn

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/flexfn/flexfn/signature"
)

// newVerifier makes the verifier of Twilio's signatures from the app's Config.
func newVerifier(c Config) (*signature.Verifier, error) {
	return signature.New(signature.Config{
		AccountSID:           c.AccountSID,
		AuthTokens:           append([]string{c.AuthToken}, c.PreviousAuthTokens...),
		PublicURL:            c.PublicURL,
		AddedPathPrefix:      c.AddedPathPrefix,
		ProxyTrust:           c.ProxyTrust,
		SharedKeys:           c.SharedKeys,
		SubaccountAuthTokens: c.SubaccountAuthTokens,
	})
}

// checkSignature refuses requests that do not carry Twilio's signature. The reason
// is logged, but is not in the answer, where it would help a forger.
func (c *call) checkSignature(body []byte) (signature.Proof, error) {
	proof, err := c.app.signed.Verify(c, c.request, body)
	switch {
	case err == nil:
		c.signedBy = proof.AccountSID
		return proof, nil
	case errors.Is(err, signature.ErrUnavailable):
		return proof, &Error{Status: http.StatusServiceUnavailable, Message: "The signature cannot be checked at the moment; try again", RetryAfter: time.Second, Err: err}
	}
	c.logSparsely(slog.LevelWarn, "signature refused", "reason", err)
	return proof, &Error{Status: http.StatusForbidden, Message: "Unauthorized: the request does not carry Twilio's signature", Err: err}
}

// SigningAccount returns the SID of the Twilio account that signed the request:
// [Config].AccountSID, or a sub-account for which [Config].SubaccountAuthTokens
// returned a token. It is empty outside a Studio function, and in one with
// [OpenToAnyone].
//
// Compare it before you act on SIDs that a request names: a sub-account's flow
// can send any, and the app's credentials may reach more accounts than its
// own.
func SigningAccount(ctx context.Context) string {
	if c := callFrom(ctx); c != nil {
		return c.signedBy
	}
	return ""
}
