package riverflexfn_test

import (
	"context"
	"fmt"
	"os"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/riverflexfn"
)

func Example() {
	ctx, stop := context.WithCancel(context.Background()) // until the program ends
	defer stop()
	queue, err := riverflexfn.New(os.Getenv("DATABASE_URL"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer queue.Close()
	config := flexfn.FromEnv()
	config.Queue = queue
	app, err := flexfn.New(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := queue.Work(ctx, app, 20); err != nil { // in the server's process, or in another program
		fmt.Println(err)
	}
}
