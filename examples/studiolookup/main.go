// Command studiolookup tells a Studio flow who calls, and lets the call go on when it cannot find out.
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
	app.Handle("/studio/customer", customer)
	server := &http.Server{Addr: ":3001", Handler: app, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}
