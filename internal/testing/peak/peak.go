// Package peak reads the peak memory of a process.
package peak

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// MiB returns the peak memory of a running process so far. It reads Linux's
// /proc, and skips the test on other systems.
func MiB(t testing.TB, process *os.Process) int {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(text), "VmHWM:")
	kib, err := strconv.Atoi(strings.Fields(line + " none")[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib >> 10
}
