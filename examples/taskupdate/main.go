// Command taskupdate adds notes to tasks; many workers may do so at once.
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
	app.Handle("/flex/add-note", addNote)
	server := &http.Server{Addr: ":3001", Handler: app, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}
