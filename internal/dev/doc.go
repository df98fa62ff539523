// Package dev implements the server behind "flexfn dev". It sits in front of
// the functions, records what they do, shows it on the terminal and in the
// console at [ConsolePath], and serves a fake Twilio for them.
//
// The functions are a [Build]: either an app in this process, or the user's
// program, which a [Program] builds, runs and replaces whenever a file changes.
// Both are an http.Handler and speak the protocol of package link.
//
// How a file's change reaches a request: a watcher (watch.go) sees that an
// input of the build (inputs.go) differs and makes the gate (build.go) hold new
// requests. [Server.Develop] (develop.go) builds the program (program.go),
// starts it (child.go) and asks it for its functions, and the gate lets the
// requests through to it. A failed build leaves the last good one in service.
//
// Every request to a function goes through Server.answer (server.go), which
// keeps strangers' pages out (origin.go), records it with secrets masked
// (log.go, mask.go) and counts it (metrics.go). The console's API (console.go)
// and its stream of changes (events.go) show the result.
package dev
