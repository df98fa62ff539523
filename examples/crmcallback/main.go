// Command crmcallback puts callbacks into a CRM, which may be slow, busy or
// down. CRM_URL is the CRM's address.
package main

import (
	"log"
	"os"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/host"
)

func main() {
	crmURL := os.Getenv("CRM_URL")
	if crmURL == "" {
		log.Fatal("CRM_URL is not set: give the address of the CRM, such as https://crm.example.com")
	}
	app, err := flexfn.New(flexfn.FromEnv())
	if err != nil {
		log.Fatal(err)
	}
	app.Handle("/flex/request-callback", requestCallback(crmURL))
	host.Main(app)
}
