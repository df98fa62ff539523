package sqsflexfn_test

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/host"
	"github.com/flexfn/flexfn/sqsflexfn"
)

func Example() {
	client := sqs.New(sqs.Options{Region: os.Getenv("AWS_REGION")}) // better: sqs.NewFromConfig, with AWS's package config
	queue, err := sqsflexfn.New(client, "https://sqs.us-east-1.amazonaws.com/123456789012/jobs")
	if err != nil {
		fmt.Println(err)
		return
	}
	config := flexfn.FromEnv()
	config.Queue = queue
	app, err := flexfn.New(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	serving := host.FromEnv()
	serving.SQS = queue.Handle(app)
	if err := host.Serve(context.Background(), app, serving); err != nil {
		fmt.Println(err)
	}
}
