package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/flexfn/flexfn/twiliofake"
)

// A stateFile keeps a fake's state from one run to the next. Until close, it
// belongs to this process alone.
type stateFile struct {
	path string // links followed
	lock *os.File
}

// openState locks the file at path, which need not exist, and checks that it
// can be written at the end.
func openState(path string) (*stateFile, error) {
	path, err := behindLinks(path)
	if err != nil {
		return nil, fmt.Errorf("the state cannot be written: %w", err)
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file: name a file for the state", path)
	}
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

// behindLinks returns the file to which path leads through symbolic links. It
// need not exist.
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

var errLocked = errors.New("another flexfn uses this state: end that one, or name another file")

func (s *stateFile) close() error {
	if s.lock == nil {
		return nil
	}
	return errors.Join(os.Remove(s.lock.Name()), s.lock.Close())
}

// load reads the state, unless there is none yet.
func (s *stateFile) load(fake *twiliofake.Twilio) error {
	err := loadState(fake, s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

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

// save replaces the file atomically: after a full disk or a crash the old one
// is there. Only the user may read it, since it can hold tokens.
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
