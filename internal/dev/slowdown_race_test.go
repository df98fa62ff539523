//go:build race

package dev_test

const slowdown = 4 // the race detector's share
