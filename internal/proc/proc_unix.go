//go:build unix

package proc

import (
	"io"
	"os/exec"
	"syscall"
)

func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// Interrupt asks the group of a program that [Guard.Start] started to end.
func Interrupt(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }

// Kill ends the group of a program that [Guard.Start] started.
func Kill(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

// guardScript reads the running process groups, one list a line, until its
// standard input ends. The system closes that when the process that writes to
// it ends; the script then kills the groups of the last list and removes the
// guard's folder.
const guardScript = `while read -r line; do groups=$line; done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
rm -rf -- "$1"`

func guardProcess(temp string) (io.WriteCloser, chan struct{}) {
	cmd := exec.Command("/bin/sh", "-c", guardScript, "flexfn-guard", temp)
	ownGroup(cmd)
	tell, err := cmd.StdinPipe()
	if err != nil || cmd.Start() != nil {
		return nil, nil
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	return tell, done
}
