// Command supervisoronly cancels tasks, for supervisors only.
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
	app.Handle("/flex/cancel-task", cancelTask)
	server := &http.Server{Addr: ":3001", Handler: app, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}
