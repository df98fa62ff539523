//go:build race

package flexfn_test

const raceDetector = true
