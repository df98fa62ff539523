package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flexfn/flexfn/internal/gotool"
)

const (
	variable = "FLEXFN_MUTANT"  // the environment variable with the number of the mutant that is on
	active   = "activeMutant__" // the Go variable with that number
)

// A pkg is a package whose mutants are tried.
type pkg struct {
	dir   string
	exec  []string       // begins the command that runs a test binary
	only  *regexp.Regexp // matches the mutants to try
	slack time.Duration  // for a busy machine, before a test counts as hung
	log   func(format string, args ...any)

	sources   map[string]bool // names of files
	functions []*function
	tests     []test
	work      string // folder for temporary files

	// The results.
	tried, hung, broken, outside int
	survivors                    []*mutant
	took                         time.Duration
}

// A test is one of a package's tests, examples and fuzz targets.
type test struct {
	name string
	time time.Duration
}

func (p *pkg) percent() float64 {
	return 100 * float64(p.tried-len(p.survivors)) / float64(max(1, p.tried))
}

func (p *pkg) String() string {
	return fmt.Sprintf("%s: %d changes; %d noticed (%.1f %%), %d of them since a test hung; %d survived; %d more do not compile, and %d are outside of functions; %s",
		p.dir, p.tried, p.tried-len(p.survivors), p.percent(), p.hung, len(p.survivors), p.broken, p.outside, p.took.Round(time.Second))
}

// try tries all mutants.
func (p *pkg) try() (err error) {
	begin := time.Now()
	if p.work, err = os.MkdirTemp("", "mutants"); err != nil {
		return err
	}
	defer os.RemoveAll(p.work)
	tests, covering, err := p.build()
	if err != nil {
		return err
	}
	if err := p.cover(tests, covering); err != nil {
		return err
	}
	for _, fn := range p.functions {
		for _, m := range fn.mutants {
			if !p.only.MatchString(m.String()) {
				continue
			}
			p.tried++
			noticed, hung := p.noticed(tests, m)
			if hung {
				p.hung++
				p.log("hung: %v", m)
			}
			if !noticed {
				p.survivors = append(p.survivors, m)
				p.log("survived %d tests: %v", len(m.tests), m)
			}
		}
	}
	p.took = time.Since(begin)
	return nil
}

// build builds p's tests with all mutants that compile, and p's tests with
// coverage.
func (p *pkg) build() (tests, covering string, err error) {
	ctx := context.Background()
	list, err := gotool.List[struct {
		Dir, Name string
		GoFiles   []string
		Module    struct{ Dir string }
	}](ctx, gotool.Tool{Dir: p.dir}, "Dir,Name,GoFiles,Module", ".")
	if err != nil {
		return "", "", err
	}
	p.sources = map[string]bool{}
	sources := map[string][]byte{}
	for _, name := range list[0].GoFiles {
		path := filepath.Join(list[0].Dir, name)
		src, err := os.ReadFile(path)
		if err != nil {
			return "", "", err
		}
		file, err := filepath.Rel(list[0].Module.Dir, path)
		if err != nil {
			return "", "", err
		}
		fns, outside, err := parse(filepath.ToSlash(file), src)
		if err != nil {
			return "", "", err
		}
		p.sources[filepath.ToSlash(file)] = true
		p.functions = append(p.functions, fns...)
		p.outside += outside
		sources[path] = src
	}
	id := 0
	for _, fn := range p.functions {
		for _, m := range fn.mutants {
			id++
			m.id = id
		}
	}
	overlay := filepath.Join(p.work, "overlay.json")
	for {
		lines, err := p.overlay(overlay, list[0].Name, sources)
		if err != nil {
			return "", "", err
		}
		_, err = gotool.Run(ctx, p.dir, "build", "-gcflags=-e", "-overlay", overlay, ".")
		if err == nil {
			break
		}
		n := p.drop(err.Error(), lines)
		if n == 0 {
			return "", "", err
		}
		p.broken += n
	}
	tests, covering = filepath.Join(p.work, "tests"), filepath.Join(p.work, "covering")
	if _, err := gotool.Run(ctx, p.dir, "test", "-c", "-vet=off", "-overlay", overlay, "-o", tests, "."); err != nil {
		return "", "", err
	}
	_, err = gotool.Run(ctx, p.dir, "test", "-c", "-vet=off", "-cover", "-o", covering, ".")
	return tests, covering, err
}

// overlay writes a build overlay that adds the mutants to sources. It returns
// the lines that are part of a mutant, by each file's base name.
func (p *pkg) overlay(name, pkg string, sources map[string][]byte) (map[string]map[int]*mutant, error) {
	lines := map[string]map[int]*mutant{}
	replace := map[string]string{}
	put := func(path string, text []byte) error {
		replace[path] = filepath.Join(p.work, filepath.Base(path))
		return os.WriteFile(replace[path], text, 0o600)
	}
	dir := ""
	for path, src := range sources {
		dir = filepath.Dir(path)
		base := filepath.Base(path)
		var text []byte
		text, lines[base] = write(src, slices.DeleteFunc(slices.Clone(p.functions), func(fn *function) bool {
			return filepath.Base(fn.file) != base
		}))
		if err := put(path, text); err != nil {
			return nil, err
		}
	}
	err := put(filepath.Join(dir, active+".go"), fmt.Appendf(nil, `package %s
import ("os"; "strconv")
var %s, _ = strconv.Atoi(os.Getenv(%q))
`, pkg, active, variable))
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return nil, err
	}
	return lines, os.WriteFile(name, text, 0o600)
}

var place = regexp.MustCompile(`(?m)^(?:\S*[/\\])?(\S+\.go):(\d+):`)

// drop drops the mutants that do not compile, and returns how many there were.
func (p *pkg) drop(errors string, lines map[string]map[int]*mutant) (n int) {
	broken := map[*mutant]bool{}
	for _, match := range place.FindAllStringSubmatch(errors, -1) {
		line, _ := strconv.Atoi(match[2])
		if m := lines[match[1]][line]; m != nil {
			broken[m] = true
		}
	}
	for _, fn := range p.functions {
		fn.mutants = slices.DeleteFunc(fn.mutants, func(m *mutant) bool { return broken[m] })
	}
	return len(broken)
}

// command runs a test binary.
func (p *pkg) command(binary string, args ...string) *exec.Cmd {
	args = slices.Concat(p.exec, []string{binary}, args)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = p.dir
	return cmd
}

// pattern is the -test.run that runs exactly tests.
func pattern(tests ...string) string { return "-test.run=^(" + strings.Join(tests, "|") + ")$" }

// cover runs each test by itself, and notes how long it takes and what it covers.
func (p *pkg) cover(tests, covering string) error {
	names, err := p.command(tests, "-test.list=^(Test|Example|Fuzz)").Output()
	if err != nil {
		return err
	}
	byFile := map[string][]*function{}
	for _, fn := range p.functions {
		base := filepath.Base(fn.file)
		byFile[base] = append(byFile[base], fn)
	}
	profile := filepath.Join(p.work, "profile")
	for i, name := range strings.Fields(string(names)) {
		out, err := p.command(covering, pattern(name), "-test.short", "-test.coverprofile="+profile).CombinedOutput()
		begin := time.Now()
		if err == nil {
			out, err = p.command(tests, pattern(name), "-test.short").CombinedOutput()
		}
		p.tests = append(p.tests, test{name, time.Since(begin)})
		if err != nil {
			p.log("%s: left out, since it fails without any change: %s", name, bytes.TrimSpace(out))
			continue
		}
		text, err := os.ReadFile(profile)
		if err != nil {
			return err
		}
		for _, line := range strings.Split(string(text), "\n")[1:] {
			file, numbers, _ := strings.Cut(line, ":")
			var from, to token.Position
			var statements, count int
			if _, err := fmt.Sscanf(numbers, "%d.%d,%d.%d %d %d", &from.Line, &from.Column, &to.Line, &to.Column, &statements, &count); err != nil {
				continue // the empty last line
			}
			mark(byFile[file[strings.LastIndex(file, "/")+1:]], from, to, i, count > 0)
		}
	}
	for _, fn := range p.functions {
		for _, m := range fn.mutants {
			if !m.inBlock { // the expressions of cases
				m.tests = m.reach
			}
			slices.SortFunc(m.tests, func(a, b int) int { return cmp.Compare(p.tests[a].time, p.tests[b].time) })
			m.tests = slices.Compact(m.tests)
		}
	}
	return nil
}

// mark notes, for the mutants of fns, that the coverage profile of a test has a
// block, and whether the test ran it.
func mark(fns []*function, from, to token.Position, test int, ran bool) {
	for _, fn := range fns {
		if !within(from, fn.start, fn.end) {
			continue
		}
		for _, m := range fn.mutants {
			if ran && !slices.Contains(m.reach, test) {
				m.reach = append(m.reach, test)
			}
			if within(m.at, from, to) {
				m.inBlock = true
				if ran && !slices.Contains(m.tests, test) {
					m.tests = append(m.tests, test)
				}
			}
		}
	}
}

func within(at, from, to token.Position) bool {
	before := func(a, b token.Position) bool {
		return a.Line < b.Line || a.Line == b.Line && a.Column <= b.Column
	}
	return before(from, at) && before(at, to)
}

// noticed reports whether a test fails with m, and whether it failed because it
// hung. A test that passes when it is tried again does not count as failed.
func (p *pkg) noticed(binary string, m *mutant) (noticed, hung bool) {
	limit := 250 * time.Millisecond // for the tests of one process
	for rest := m.tests; len(rest) > 0; limit *= 4 {
		var names []string
		var sum time.Duration
		for len(rest) > 0 && (len(names) == 0 || sum+p.tests[rest[0]].time <= limit) {
			names = append(names, p.tests[rest[0]].name)
			sum += p.tests[rest[0]].time
			rest = rest[1:]
		}
		failed := func() bool {
			cmd := p.command(binary, pattern(names...), "-test.short", "-test.failfast", "-test.timeout="+(3*sum+p.slack).String())
			cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", variable, m.id))
			out, err := cmd.CombinedOutput()
			hung = err != nil && bytes.Contains(out, []byte("panic: test timed out"))
			return err != nil
		}
		switch {
		case !failed():
		case hung || failed():
			return true, hung
		default:
			p.log("failed once, and passed then: %v", m)
		}
	}
	return false, false
}
