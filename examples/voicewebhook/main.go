// Command voicewebhook answers incoming calls with TwiML.
package main

import (
	"log"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/host"
)

func main() {
	app, err := flexfn.New(flexfn.FromEnv())
	if err != nil {
		log.Fatal(err)
	}
	app.Handle("/voice/incoming", incoming)
	host.Main(app)
}
