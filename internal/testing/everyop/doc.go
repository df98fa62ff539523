// Package everyop holds the test that calls every operation of twilio-go,
// through its typed API, on the fake. It imports all of twilio-go, which takes a
// while to build, so it has a build tag:
//
//	go test -tags everyop ./internal/testing/everyop
package everyop
