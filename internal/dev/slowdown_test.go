//go:build !race

package dev_test

// slowdown is how much slower than usual the tests run.
const slowdown = 1
