package main

import "golang.org/x/sys/unix"

// These requests read and change a terminal's settings; their names differ
// between systems.
const getTermios, setTermios = unix.TCGETS, unix.TCSETS
