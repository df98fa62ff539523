// Command taskupdate adds notes to tasks; many workers may do so at once.
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
	app.Handle("/flex/add-note", addNote)
	host.Main(app)
}
