package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/flexfn/flexfn/twiliofake"
)

// A stateFile keeps a fake's state from one run to the next. It is locked for
// this process until close. The lock is a separate file next to it, since
// saving replaces the state file, and a lock on that would be lost.
type stateFile struct {
	path string // with symbolic links resolved
	lock *os.File
}

// openState locks the file at path, which need not exist. It checks that the
// file can be written, so that a run does not fail to save its state at the
// end. It creates no state: a run that is stopped at once leaves none.
func openState(path string) (*stateFile, error) {
	path, err := behindLinks(path)
	if err != nil {
		return nil, fmt.Errorf("the state cannot be written: %w", err)
	}
	// A device or a pipe would be replaced by a file.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file: name a file for the state", path)
	}
	// What matters is the folder, not the file, since save makes a new file in
	// it.
	probe, err := os.CreateTemp(filepath.Dir(path), ".flexfn-state-*")
	if err != nil {
		return nil, fmt.Errorf("the state cannot be written to %s: %w", path, err)
	}
	if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
		return nil, err
	}
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &stateFile{path, lock}, nil
}

// behindLinks resolves symbolic links in path. The file that they lead to need
// not exist. Otherwise saving would replace the link by a file.
func behindLinks(path string) (string, error) {
	for range 40 {
		target, err := os.Readlink(path)
		if err != nil { // not a link
			dir, err := filepath.EvalSymlinks(filepath.Dir(path))
			return filepath.Join(dir, filepath.Base(path)), err
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	return "", fmt.Errorf("%s leads through too many links", path)
}

// errLocked is the error of a second flexfn with the same state. Without the
// lock, the last to end would overwrite what the other has saved.
var errLocked = errors.New("another flexfn uses this state: end that one, or name another file")

// close releases the lock and removes its file.
func (s *stateFile) close() error {
	if s.lock == nil {
		return nil
	}
	return errors.Join(os.Remove(s.lock.Name()), s.lock.Close())
}

// load loads the state into fake, if there is one. If the file does not
// exist yet, the fake keeps its state.
func (s *stateFile) load(fake *twiliofake.Twilio) error {
	err := loadState(fake, s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// loadState loads a state document from a file. Its errors name the file.
func loadState(fake *twiliofake.Twilio, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	if err = errors.Join(fake.Load(file), file.Close()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// save replaces the file atomically, so that the old state survives a full disk
// or a crash. Only the user may read the file, since it can hold tokens. The
// new file is in the same folder, since a rename does not work between file
// systems.
func (s *stateFile) save(fake *twiliofake.Twilio) error {
	file, err := os.CreateTemp(filepath.Dir(s.path), ".flexfn-state-*") // mode 0600
	if err != nil {
		return err
	}
	if err = errors.Join(fake.Save(file), file.Sync(), file.Close()); err == nil {
		err = os.Rename(file.Name(), s.path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("the state was not saved: %w", err), os.Remove(file.Name()))
	}
	return nil
}
