// Package sqsflexfn runs an app's jobs from an Amazon SQS queue that invokes
// the program on AWS Lambda:
//
//	aws, err := config.LoadDefaultConfig(ctx)
//	…
//	queue, err := sqsflexfn.New(sqs.NewFromConfig(aws), os.Getenv("QUEUE_URL"))
//	…
//	c := flexfn.FromEnv()
//	c.Queue = queue
//	app, err := flexfn.New(c)
//	…
//	serving := host.FromEnv()
//	serving.SQS = queue.Handle(app)
//	err = host.Serve(ctx, app, serving)
//
// SQS delivers a message at least once, so the app needs a [flexfn.Store] that
// its instances share. The queue must be a standard one. Its event source
// mapping must have ReportBatchItemFailures among its FunctionResponseTypes.
// Its visibility timeout is the wait between two tries of a job: make it longer
// than the function's timeout.
//
// The app counts the tries of a job. One that fails for good becomes one of the
// app's dead letters, like an event. A redrive policy only catches messages
// that the app cannot read; its maxReceiveCount must be higher than the tries
// of any job, say 50.
package sqsflexfn

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/flexfn/flexfn"
)

// Queue is a [flexfn.Queue] in SQS. It is safe for concurrent use.
type Queue struct {
	client *sqs.Client
	url    string
}

var _ flexfn.Queue = (*Queue)(nil)

const (
	longestDelay = 15 * time.Minute // of one message; source: SQS's SendMessage, DelaySeconds
	dueName      = "flexfn-due"     // the attribute that says when, in RFC 3339
	keyName      = "flexfn-key"     // for operators
)

// allowed escapes characters that JSON may contain but SQS refuses.
var allowed = strings.NewReplacer("\ufffe", `\ufffe`, "\uffff", `\uffff`)

// New uses the queue at url. client needs the permission sqs:SendMessage for
// it. New fails if the url is faulty, or that of a FIFO queue, which cannot
// delay single messages.
func New(client *sqs.Client, url string) (*Queue, error) {
	switch {
	case client == nil:
		return nil, errors.New("sqsflexfn: the client is nil")
	case !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://"):
		return nil, fmt.Errorf("sqsflexfn: %q is not a queue's URL: write one such as https://sqs.us-east-1.amazonaws.com/123456789012/jobs", url)
	case strings.HasSuffix(url, ".fifo"):
		return nil, fmt.Errorf("sqsflexfn: %s is a FIFO queue, which cannot delay single messages: use a standard queue", url)
	}
	return &Queue{client, url}, nil
}

// Add implements [flexfn.Queue]. SQS delays a message for at most 15 minutes,
// so a job that is due later is sent on each time it arrives too early, which
// takes 4 messages an hour. If SQS delivers such a message twice, there are two
// messages, but the Store makes sure that the job runs once.
func (q *Queue) Add(ctx context.Context, key string, job []byte, due time.Time) error {
	text := func(s string) types.MessageAttributeValue {
		return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(s)}
	}
	delay := min(max(time.Until(due), 0), longestDelay)
	_, err := q.client.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl:     aws.String(q.url),
		MessageBody:  aws.String(allowed.Replace(string(job))),
		DelaySeconds: int32((delay + time.Second - 1) / time.Second), // never too early
		MessageAttributes: map[string]types.MessageAttributeValue{
			keyName: text(key), dueName: text(due.UTC().Format(time.RFC3339Nano)),
		},
	})
	if err != nil {
		return fmt.Errorf("sending a job to SQS: %w", err)
	}
	return nil
}

// Handle returns what host.Config.SQS needs to run the jobs of app. A message
// is deleted when its job has succeeded, has become a dead letter, or was sent
// on because it is not yet due. After an error it is delivered again once the
// queue's visibility timeout has passed.
func (q *Queue) Handle(app *flexfn.App) func(context.Context, events.SQSMessage) error {
	return func(ctx context.Context, m events.SQSMessage) error {
		attribute := func(name string) string {
			if v := m.MessageAttributes[name].StringValue; v != nil {
				return *v
			}
			return ""
		}
		due, err := time.Parse(time.RFC3339Nano, attribute(dueName))
		if err != nil {
			return fmt.Errorf("the message %s is not a job of flexfn: it has no attribute %s", m.MessageId, dueName)
		}
		if time.Until(due) > 0 {
			return q.Add(ctx, attribute(keyName), []byte(m.Body), due)
		}
		return app.RunJob(ctx, []byte(m.Body))
	}
}
