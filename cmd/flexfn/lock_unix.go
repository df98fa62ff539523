//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// lockFile creates and locks the file at path. The system releases the lock
// when the process ends, even if it crashes.
//
// It fails at once with errLocked if another process has the lock. The file is
// locked and not just created, because a file alone would stay after a crash
// and keep every later run out.
func lockFile(path string) (*os.File, error) {
	for {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EWOULDBLOCK):
			return nil, errors.Join(errLocked, file.Close())
		case err != nil:
			return nil, errors.Join(fmt.Errorf("it cannot be locked: %w", err), file.Close())
		}
		// Its last owner may have removed it in the meantime.
		mine, err := file.Stat()
		if err != nil {
			return nil, errors.Join(err, file.Close())
		}
		if there, err := os.Stat(path); err == nil && os.SameFile(mine, there) {
			return file, nil
		}
		_ = file.Close()
	}
}
