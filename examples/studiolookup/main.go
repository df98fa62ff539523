// Command studiolookup tells a Studio flow who is calling, with a default if it cannot find out.
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
	app.Handle("/studio/customer", customer)
	host.Main(app)
}
