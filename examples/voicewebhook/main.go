// Command voicewebhook answers incoming calls with TwiML.
package main

import (
	"log"
	"net/http"
	"time"

	"github.com/flexfn/flexfn"
)

func main() {
	app, err := flexfn.New(flexfn.FromEnv())
	if err != nil {
		log.Fatal(err)
	}
	app.Handle("/voice/incoming", incoming)
	server := &http.Server{Addr: ":3001", Handler: app, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}
