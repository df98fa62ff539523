package sqsflexfn

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	lambda "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/events"
	"github.com/flexfn/flexfn/flexfntest"
	"github.com/flexfn/flexfn/internal/testing/memnet"
)

const queueURL = "https://sqs.us-east-1.amazonaws.com/123456789012/jobs"

// double stands for an SQS queue that invokes a Lambda function. It has SQS's
// JSON protocol, and the poller that passes messages to the function. Sources:
// SQS's API reference (SendMessage, AWS JSON 1.0), and Lambda's page on SQS.
type double struct {
	t          *testing.T
	visibility time.Duration
	receives   int // after which a message goes to dead
	twice      int // how many messages are delivered twice

	mu       sync.Mutex
	down     bool
	loses    bool // it loses the next answer, but keeps the message
	sent     int
	messages []*message
	dead     []string
}

type message struct {
	id, body   string
	attributes map[string]attribute
	visible    time.Time
	receives   int
}

type attribute struct {
	DataType    string `json:"DataType"`
	StringValue string `json:"StringValue"`
}

func (d *double) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fail := func(status int, kind, text string) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": "com.amazonaws.sqs#" + kind, "message": text})
	}
	var in struct {
		QueueUrl          string
		MessageBody       string
		DelaySeconds      int
		MessageAttributes map[string]attribute
	}
	switch err := json.NewDecoder(r.Body).Decode(&in); {
	case d.down:
		fail(http.StatusServiceUnavailable, "ServiceUnavailable", "down")
		return
	case err != nil || r.Method != http.MethodPost || r.URL.Path != "/" || r.Header.Get("Content-Type") != "application/x-amz-json-1.0",
		r.Header.Get("X-Amz-Target") != "AmazonSQS.SendMessage", !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 "):
		d.t.Errorf("SQS is sent %s %s with %v: %v", r.Method, r.URL, r.Header, err)
		fail(http.StatusBadRequest, "InvalidRequest", "not in SQS's JSON protocol")
		return
	case in.QueueUrl != queueURL:
		fail(http.StatusBadRequest, "QueueDoesNotExist", in.QueueUrl)
		return
	case in.DelaySeconds < 0 || in.DelaySeconds > 900:
		fail(http.StatusBadRequest, "InvalidParameterValue", "DelaySeconds")
		return
	case in.MessageBody == "" || len(in.MessageBody) > 256<<10 || strings.ContainsAny(in.MessageBody, "\ufffe\uffff"):
		fail(http.StatusBadRequest, "InvalidMessageContents", "MessageBody")
		return
	}
	d.sent++
	m := &message{fmt.Sprint("message-", d.sent), in.MessageBody, in.MessageAttributes, time.Now().Add(time.Duration(in.DelaySeconds) * time.Second), 0}
	d.messages = append(d.messages, m)
	if d.loses {
		d.loses = false
		panic(http.ErrAbortHandler)
	}
	sum := md5.Sum([]byte(in.MessageBody))
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	_ = json.NewEncoder(w).Encode(map[string]string{"MessageId": m.id, "MD5OfMessageBody": hex.EncodeToString(sum[:])})
}

// due takes a visible message.
func (d *double) due() *message {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, m := range d.messages {
		if m.visible.After(time.Now()) {
			continue
		}
		if m.receives++; m.receives > d.receives {
			d.dead = append(d.dead, m.body)
			d.messages = slices.Delete(d.messages, i, i+1)
			return nil
		}
		m.visible = time.Now().Add(d.visibility)
		return m
	}
	return nil
}

// invoke passes visible messages to the function until during has passed.
func (d *double) invoke(handle func(context.Context, lambda.SQSMessage) error, during time.Duration) {
	for end := time.Now().Add(during); time.Now().Before(end); {
		m := d.due()
		if m == nil {
			time.Sleep(time.Second)
			continue
		}
		// Attributes as Lambda writes them.
		attributes := map[string]any{}
		for name, a := range m.attributes {
			attributes[name] = map[string]any{"stringValue": a.StringValue, "stringListValues": []string{}, "binaryListValues": []string{}, "dataType": a.DataType}
		}
		text, _ := json.Marshal(map[string]any{"messageId": m.id, "receiptHandle": "r", "body": m.body, "messageAttributes": attributes, "eventSource": "aws:sqs"})
		var event lambda.SQSMessage
		if err := json.Unmarshal(text, &event); err != nil {
			d.t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(d.t.Context(), 20*time.Second)
		err := handle(ctx, event)
		if d.twice > 0 {
			d.twice--
			err = errors.Join(err, handle(ctx, event))
		}
		cancel()
		if err != nil {
			continue // it comes again
		}
		d.mu.Lock()
		d.messages = slices.DeleteFunc(d.messages, func(other *message) bool { return other == m })
		d.mu.Unlock()
	}
}

// start makes a queue over a double.
func start(t *testing.T) (*double, *Queue) {
	t.Helper()
	d := &double{t: t, visibility: 30 * time.Second, receives: 50}
	transport := memnet.Serve(t, d).Transport()
	transport.DialTLSContext = transport.DialContext
	t.Cleanup(transport.CloseIdleConnections)
	q, err := New(sqs.New(sqs.Options{
		Region: "us-east-1", HTTPClient: &http.Client{Transport: transport},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret"}, nil
		}),
	}), queueURL)
	if err != nil {
		t.Fatal(err)
	}
	return d, q
}

func newApp(t *testing.T, q *Queue) *flexfntest.App {
	return flexfntest.New(t, func(c *flexfn.Config) {
		c.Queue, c.Store, c.Logger = q, flexfntest.NewStore(), slog.New(slog.DiscardHandler)
	})
}

type reminder struct{ Customer string }

// TestQueue: each job is done once and not before it is due, although SQS
// delays messages for at most 15 minutes, delivers some twice, and loses an
// answer.
func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, q := start(t)
		d.twice = 5
		app := newApp(t, q)
		begin := time.Now()
		done := map[string]time.Duration{}
		tries := 0
		app.Handle("/jobs/remind", events.Job(func(_ context.Context, r reminder) error {
			if r.Customer == "Eve" {
				if tries++; tries < 4 {
					return errors.New("busy")
				}
			}
			if done[r.Customer] != 0 {
				t.Errorf("the job for %q ran twice", r.Customer)
			}
			done[r.Customer] = time.Since(begin)
			return nil
		}))
		d.loses = true
		for customer, delay := range map[string]time.Duration{"Ann \ufffe\uffff é": 0, "Bob": 24 * time.Hour, "Eve": 0} {
			if err := events.Later(app.Context(t.Context()), reminder{customer}, delay); err != nil {
				t.Fatal(err)
			}
		}
		d.invoke(q.Handle(app.App), 25*time.Hour)
		if took := done["Bob"]; len(done) != 3 || took < 24*time.Hour || took > 24*time.Hour+time.Minute {
			t.Errorf("done: %v", done)
		}
		if len(d.messages) > 0 || len(d.dead) > 0 {
			t.Errorf("%d messages are left, %q are dead", len(d.messages), d.dead)
		}
	})
}

// TestDeadLetters: a job that fails for good becomes a dead letter of the app.
// SQS's dead letters are only messages that the app cannot read.
func TestDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, q := start(t)
		app := newApp(t, q)
		broken, runs := true, 0
		app.Handle("/events", events.TaskRouter(events.On("*", func(context.Context, events.Event) error {
			if runs++; broken {
				return errors.New("down")
			}
			return nil
		}, events.Named("book"), events.AfterAnswer())))
		if a := app.TaskRouterEvent("/events", "task.created", flexfntest.Params{"Sid": "EV1"}); a.Status != http.StatusNoContent || runs != 0 || d.sent != 1 {
			t.Fatalf("%d %s, %d runs, %d messages", a.Status, a.Body, runs, d.sent)
		}
		d.messages = append(d.messages, &message{id: "stranger", body: `{"hello":1}`})
		d.invoke(q.Handle(app.App), time.Hour)
		ctx := app.Context(t.Context())
		var letters []events.DeadLetter
		for l, err := range events.DeadLetters(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			letters = append(letters, l)
		}
		if len(letters) != 1 || letters[0].Listener != "book" || letters[0].Event.Key != "EV1" || runs != 10 || fmt.Sprint(d.dead) != `[{"hello":1}]` {
			t.Fatalf("%+v; %d runs; dead in SQS: %q", letters, runs, d.dead)
		}
		broken = false
		if err := letters[0].Replay(ctx); err != nil || runs != 11 {
			t.Errorf("%v, %d runs", err, runs)
		}
	})
}

// TestDown: a job that SQS did not accept is not acknowledged.
func TestDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, q := start(t)
		d.down = true
		app := newApp(t, q)
		app.Handle("/events", events.Stream(events.On("*", func(context.Context, events.Event) error { return nil }, events.AfterAnswer())))
		event := flexfntest.CloudEvent("EZ1", "com.twilio.studio.flow.step.ended", map[string]any{})
		if a := app.StreamEvents("/events", event); a.Status < 500 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		d.mu.Lock()
		d.down = false
		d.mu.Unlock()
		time.Sleep(time.Minute)
		app.StreamEvents("/events", event).OK()
		if d.sent != 1 {
			t.Errorf("%d messages", d.sent)
		}
	})
}

func TestFaultyQueue(t *testing.T) {
	client := sqs.New(sqs.Options{Region: "us-east-1"})
	for _, url := range []string{"", "jobs", queueURL + ".fifo"} {
		if _, err := New(client, url); err == nil || !strings.Contains(err.Error(), url) {
			t.Errorf("%q: %v", url, err)
		}
	}
	if _, err := New(nil, queueURL); err == nil {
		t.Error("a nil client was accepted")
	}
}
