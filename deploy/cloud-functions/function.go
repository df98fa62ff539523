// Package function is an app as a Cloud Run function, built from source by
// Google's buildpack. A container with host.Main does not need this package,
// and shuts down more gently; see docs/hosting.md.
package function

import (
	"log"

	"github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"github.com/flexfn/flexfn"
	readymade "github.com/flexfn/flexfn/functions"
)

// The framework finds the functions that init registers.
func init() {
	app, err := flexfn.New(flexfn.FromEnv())
	if err == nil {
		err = readymade.Add(app)
	}
	if err != nil {
		log.Fatal(err)
	}
	functions.HTTP("Flexfn", app.ServeHTTP)
}
