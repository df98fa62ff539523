package twilioapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/twilio/twilio-go/client"
)

const jsonType = "application/json"

const userAgent = "flexfn twilio-go/" + client.LibraryVersion

// sender is the client.BaseClient of one attempt: it sends twilio-go's
// requests instead of twilio-go's own client.
type sender struct {
	ctx            context.Context
	client         *http.Client
	account        string      // its SID
	user, password string      // of the account, or an API key's
	header         http.Header // of the last answer
	limit          time.Duration
}

var _ client.BaseClient = (*sender)(nil)

func (s *sender) AccountSid() string { return s.account }

// SetTimeout bounds each request, in addition to ctx and the attempt timeout.
func (s *sender) SetTimeout(d time.Duration) { s.limit = d }

// SetOauth does nothing, since the app's credentials are used.
func (s *sender) SetOauth(client.OAuth) {}

func (s *sender) OAuth() client.OAuth { return nil }

func (s *sender) SendRequest(method, rawURL string, data url.Values, headers map[string]any, body ...byte) (*http.Response, error) {
	u, err := parseAddress(rawURL, data == nil && headers == nil)
	if err != nil {
		return nil, err
	}
	resp, answer, err := s.send(method, u, data, headers, body)
	if err != nil {
		return nil, err
	}
	if resp.Request.Header.Get("Accept") == jsonType {
		switch {
		case !json.Valid(answer) && (len(answer) > 0 || resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusCreated):
			return nil, notJSON(resp, answer)
		case string(bytes.TrimSpace(answer)) == "null": // twilio-go would return a resource without a value
			return nil, noResource(errors.New("the answer is null"))
		}
	}
	resp.Body = io.NopCloser(bytes.NewReader(answer))
	return resp, nil
}

// noResource is the error for an answer that has nothing, or something else,
// instead of a resource.
func noResource(err error) error {
	return &flexfn.Error{Status: http.StatusBadGateway, Message: "Twilio sent an answer without the resource", Err: err}
}

func notJSON(resp *http.Response, answer []byte) error {
	req := resp.Request
	return &flexfn.Error{
		Status:  http.StatusBadGateway,
		Message: req.URL.Hostname() + " sent an answer that is not JSON",
		Err:     fmt.Errorf("%s %s: status %d, %d bytes", req.Method, req.URL.Path, resp.StatusCode, len(answer)),
	}
}

// send sends a request to u, which must be Twilio's, and reads its answer.
func (s *sender) send(method string, u *url.URL, data url.Values, headers map[string]any, body []byte) (*http.Response, []byte, error) {
	ctx := s.ctx
	if s.limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.limit)
		defer cancel() // the body has been read by then
	}
	req, err := newRequest(ctx, method, u, data, headers, body)
	if err != nil {
		return nil, nil, err
	}
	req.SetBasicAuth(s.user, s.password)
	req.Header.Set("User-Agent", userAgent)

	resp, err := s.client.Do(req)
	if resp != nil {
		s.header = resp.Header
	}
	resp, err = flexfn.CheckResponse(resp, err)
	if err != nil {
		return nil, nil, err
	}
	answer, err := flexfn.ReadBody(resp)
	if err != nil {
		return nil, nil, err
	}
	return resp, answer, nil
}

// parseAddress parses and checks the address of a request. Only that of a next
// page, which comes without parameters, may have a query.
func parseAddress(rawURL string, nextPage bool) (*url.URL, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, bentAddress(err)
	}
	if err := checkAddress(u, nextPage); err != nil {
		// Only Twilio chooses the query of a next page, and the host of any
		// address; the caller's parameters are in the path.
		if nextPage && (u.RawQuery != "" || !twilios(u)) {
			return nil, &flexfn.Error{Status: http.StatusBadGateway, Message: "Twilio sent the address of a next page that is not Twilio's", Err: err}
		}
		return nil, err
	}
	return u, nil
}

// newRequest makes the request that twilio-go's arguments describe. It sets the
// query of u. It differs from twilio-go's own client in that values such as
// "1.5" in a query are not cut off.
func newRequest(ctx context.Context, method string, u *url.URL, data url.Values, headers map[string]any, body []byte) (*http.Request, error) {
	var reader io.Reader = http.NoBody
	contentType, _ := headers["Content-Type"].(string)
	switch {
	case method == http.MethodGet || method == http.MethodDelete:
		if data != nil {
			u.RawQuery = data.Encode()
		}
		contentType = ""
	case strings.HasPrefix(contentType, jsonType):
		if data != nil {
			u.RawQuery = data.Encode()
		}
		reader = bytes.NewReader(body)
	default:
		contentType = "application/x-www-form-urlencoded"
		reader = strings.NewReader(data.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, "", reader)
	if err != nil {
		return nil, err
	}
	req.URL, req.Host = u, u.Host // parsed once
	req.Header.Set("Accept", jsonType)
	for name, value := range headers {
		req.Header.Set(name, fmt.Sprint(value))
	}
	req.Header.Del("Content-Type")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	return req, nil
}
