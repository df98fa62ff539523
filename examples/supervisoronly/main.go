// Command supervisoronly cancels tasks, for supervisors only.
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
	app.Handle("/flex/cancel-task", cancelTask)
	host.Main(app)
}
