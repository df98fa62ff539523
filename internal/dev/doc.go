// Package dev implements the server behind "flexfn dev". It sits in front of
// the functions, records what they do, shows it on the terminal and in the
// console at [ConsolePath], and plays Twilio for them.
//
// The functions are a [Build]: either an app in this process, or the user's
// program, which a [Program] builds, runs and replaces whenever a file changes.
// Both are an http.Handler and speak the protocol of package link.
package dev
