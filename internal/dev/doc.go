// Package dev is the server behind "flexfn dev". It is in front of the
// functions, records what they do, shows it on the terminal and in the
// console at [ConsolePath], and plays Twilio for them.
//
// The functions are a [Build]: either in this process, or a program of the
// user's that a [Program] builds, runs and replaces whenever a file changes.
// Both are reached as an http.Handler and speak the protocol of package link.
package dev
