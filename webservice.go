package flexfn

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/flexfn/flexfn/internal/form"
	"github.com/flexfn/flexfn/internal/mask"
)

const (
	// maxAnswerBytes bounds an answer that is read into memory.
	maxAnswerBytes = 32 << 20
	// maxErrorBytes bounds what is kept of an error's body.
	maxErrorBytes = 64 << 10
	// maxRetryAfter caps a service's Retry-After.
	maxRetryAfter = 24 * time.Hour
)

// ReadJSON decodes the answer of a web service from JSON. Its arguments are the
// results of [http.Client.Do]:
//
//	user, err := flexfn.ReadJSON[User](client.Do(req))
//
// It fails as [CheckResponse] and [ReadBody] do, and with an [*Error] of status
// 502 if the body is not JSON that fits T. An empty body is an error with
// status 200, and T's zero value with status 201 to 299. ReadJSON always closes
// the body.
//
// Fields that T lacks are ignored, as by [json.Unmarshal]. If T is any, numbers
// become float64, which rounds those beyond 2^53; use a struct or
// [json.Number].
func ReadJSON[T any](resp *http.Response, err error) (T, error) {
	var data T
	resp, err = CheckResponse(resp, err)
	if err != nil {
		return data, err
	}
	body, err := ReadBody(resp)
	if err != nil {
		return data, err
	}
	if len(body) == 0 && resp.StatusCode != http.StatusOK {
		return data, nil
	}
	if err := json.Unmarshal(form.TrimBOM(body), &data); err != nil {
		var zero T
		return zero, badAnswer(resp, "sent an answer that is not the expected JSON", err)
	}
	return data, nil
}

// CheckResponse turns any answer other than a success into an [*Error]. Its
// arguments are the results of [http.Client.Do]:
//
//	resp, err := flexfn.CheckResponse(client.Do(req))
//
// A failure to get an answer has status 502, 503 or 504. An answer from 400 to
// 599 has its own status and the service's Retry-After, capped at a day; if it
// comes from Twilio, also Twilio's message, code and page. The first 512 bytes of
// the body are in Err, for the log. Any other answer outside 2xx, such as a
// redirect, has status 502. An error that did not come from the network, such as
// an unknown scheme, is returned unchanged.
//
// After an error, the body is closed. After a success the caller must close it;
// [ReadBody] and [ReadJSON] do.
//
// Use it if the body is not JSON, or is to be streamed; ReadJSON calls it. If
// resp came from another client than [App.HTTPClient], it is unknown whether a
// failed request was sent, so OutcomeUnknown is false.
func CheckResponse(resp *http.Response, err error) (*http.Response, error) {
	if err != nil {
		if resp != nil { // a failed CheckRedirect leaves both set
			resp.Body.Close()
		}
		if e, ok := errors.AsType[*Error](err); ok {
			return nil, e
		}
		if !noAnswer(err) {
			return nil, err
		}
		host := ""
		if e, ok := errors.AsType[*url.Error](err); ok {
			if u, err := url.Parse(e.URL); err == nil {
				host = u.Hostname()
			}
		}
		e := lost(err, host, !dialFailed(err), false)
		e.harmless = dialFailed(err) // what another client sent is unknown
		return nil, e
	}
	if resp.StatusCode >= 200 && resp.StatusCode <= 299 {
		return resp, nil
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBytes)) // as much of it as came
	closeBody(resp)
	if resp.StatusCode < 400 || resp.StatusCode > 599 {
		return nil, badAnswer(resp, fmt.Sprintf("sent an unexpected answer (HTTP status %d)", resp.StatusCode), excerpt(body))
	}
	e := &Error{
		Status:     resp.StatusCode,
		Message:    fmt.Sprintf("%s answered with HTTP status %d", hostOf(resp), resp.StatusCode),
		RetryAfter: parseRetryAfter(resp.Header.Get("Retry-After"), dateOf(resp)),
		Err:        excerpt(body),
		harmless:   resp.Request != nil && !changesOnce(resp.Request),
	}
	if isTwilio(hostOf(resp)) {
		if e.readTwilio(body) {
			e.Err = nil // Message and code say it all
		} else if resp.StatusCode == http.StatusServiceUnavailable && changesOnce(resp.Request) && !json.Valid(body) {
			// The 503 comes from a proxy in between, not from Twilio, so Twilio
			// may have acted.
			e.OutcomeUnknown = true
			e.Message += unknownOutcome
		}
	}
	return nil, e
}

// ReadBody reads and closes the body of a successful answer, such as an image or
// text:
//
//	resp, err := flexfn.CheckResponse(client.Do(req))
//	if err != nil {
//		return nil, err
//	}
//	return flexfn.ReadBody(resp)
//
// It fails with an [*Error] if the body is cut short, which [ExecuteWithRetry]
// retries unless the outcome is unknown, or if it is longer than 32 MiB,
// decompressed. Read a longer body from resp.Body yourself. ReadBody does not look
// at the status.
func ReadBody(resp *http.Response) ([]byte, error) {
	defer resp.Body.Close() // at its end the connection can be used again
	body, err := readAll(io.LimitReader(resp.Body, maxAnswerBytes+1), resp.ContentLength)
	if late, ok := errors.AsType[*readLateError](err); ok {
		return nil, late // a mistake in the program, not a fault of the service
	}
	switch {
	case err != nil:
		changes := resp.Request != nil && changesOnce(resp.Request)
		e := lost(err, hostOf(resp), true, changes)
		if e.Status == http.StatusBadGateway {
			e.Message = hostOf(resp) + " sent an answer that was cut short"
			if changes {
				e.Message += unknownOutcome
			}
		}
		return nil, e
	case len(body) > maxAnswerBytes:
		return nil, badAnswer(resp, fmt.Sprintf("sent an answer longer than %d bytes", maxAnswerBytes), nil)
	}
	return body, nil
}

// readAll is [io.ReadAll] for a reader that announces length bytes; length is
// negative if it announces none. Up to 64 KiB of the memory is allocated
// beforehand.
func readAll(r io.Reader, length int64) ([]byte, error) {
	if length < 0 || length > 64<<10 {
		return io.ReadAll(r)
	}
	b := make([]byte, 0, length+1) // one more, to see the end
	for len(b) < cap(b) {
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
	rest, err := io.ReadAll(r)
	return append(b, rest...), err
}

// readTwilio reads code, message and page from the body of an error of Twilio,
// in Twilio's own format or that of RFC 9457. It reports whether the body had a
// code and a message.
func (e *Error) readTwilio(body []byte) bool {
	var told struct {
		Code                   any
		Message, Detail, Title any
		MoreInfo               any `json:"more_info"`
		Page                   any `json:"moreInfo"`
		Type                   any
	}
	d := json.NewDecoder(bytes.NewReader(form.TrimBOM(body)))
	d.UseNumber()
	if d.Decode(&told) != nil {
		return false
	}
	words := firstText(told.Message, told.Detail, told.Title)
	if words != "" {
		e.Message = words
	}
	if code, err := strconv.ParseFloat(fmt.Sprint(told.Code), 64); err == nil && code > 0 && code == float64(int32(code)) { // 20001.0, "20001"
		e.TwilioErrorCode = int(code)
	}
	e.TwilioDocPage = firstText(told.MoreInfo, told.Page)
	if page := firstText(told.Type); e.TwilioDocPage == "" && strings.HasPrefix(page, "https://") {
		e.TwilioDocPage = page
	}
	return e.TwilioErrorCode != 0 && words != ""
}

// firstText returns the first of values that is a non-empty string.
func firstText(values ...any) string {
	for _, v := range values {
		if s, _ := v.(string); s != "" {
			return s
		}
	}
	return ""
}

// badAnswer is the error for an answer that cannot be used. Its status is 502,
// since the service is at fault; another attempt would get the same answer.
func badAnswer(resp *http.Response, what string, err error) *Error {
	return &Error{Status: http.StatusBadGateway, Message: hostOf(resp) + " " + what, Err: err}
}

// excerpt is the beginning of a body, for the log.
func excerpt(body []byte) error {
	const most = 512
	if len(body) == 0 {
		return nil
	}
	more := ""
	if len(body) > most {
		body, more = body[:most], "…"
	}
	return fmt.Errorf("body %q%s", mask.PhoneNumbers(string(body)), more)
}

// hostOf names the service in messages, without port and user.
func hostOf(resp *http.Response) string {
	if resp.Request == nil || resp.Request.URL == nil {
		return "the service"
	}
	return resp.Request.URL.Hostname()
}

// closeBody reads a little of what is left, so that the connection can be used
// again, and closes.
func closeBody(resp *http.Response) {
	discard(resp.Body, reuseBytes)
	resp.Body.Close()
}

// dateOf returns the time of the answer by the service's clock. A Retry-After
// date is relative to that; this machine's clock may be wrong.
func dateOf(resp *http.Response) time.Time {
	if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		return at
	}
	return time.Now()
}

// parseRetryAfter reads a number of seconds, which it rounds up, or a date (RFC
// 9110, section 10.2.3). For anything else, and for a date in the past, it
// returns zero. The result is at most a day.
func parseRetryAfter(v string, now time.Time) time.Duration {
	v = strings.TrimSpace(v)
	whole, fraction, _ := strings.Cut(v, ".")
	if whole != "" && strings.Trim(whole+fraction, "0123456789") == "" {
		seconds, err := strconv.ParseInt(whole, 10, 64)
		if err != nil || seconds >= int64(maxRetryAfter/time.Second) {
			return maxRetryAfter
		}
		if strings.Trim(fraction, "0") != "" {
			seconds++
		}
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}
