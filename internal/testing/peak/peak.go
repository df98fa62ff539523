// Package peak tells how much memory a process has taken.
package peak

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// MiB returns the most memory that a running process has had so far. Off Linux,
// whose /proc it reads, it skips the test.
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
