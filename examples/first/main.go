// Command first is the first function of the guide.
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
	app.Handle("/flex/greet", greet)
	server := &http.Server{Addr: ":3001", Handler: app, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}
