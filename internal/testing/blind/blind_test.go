package blind

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// FuzzFinding fails for a text that no seed has and that pieces of two make.
func FuzzFinding(f *testing.F) {
	find := os.Getenv("BLIND_FIND") != ""
	f.Add("abc", []byte("x"), 3, true)
	f.Add("def", []byte(nil), -3, false)
	Fuzz(f, func(t *testing.T, s string, b []byte, n int, is bool) {
		if find && strings.Contains(s, "c") && strings.Contains(s, "d") && n == 4 && !is && len(b) > 0 {
			t.Fatal("found")
		}
	})
}

// TestFinding: a failing input is found and written as a seed, and fails again
// as one.
func TestFinding(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	run := func(find string, args ...string) (string, error) {
		cmd := exec.Command(program, append([]string{"-test.run=^FuzzFinding$", "-blindseed=1"}, args...)...)
		cmd.Dir, cmd.Env = folder, append(os.Environ(), "BLIND_FIND="+find)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run("", "-blind=1000x"); err != nil || !strings.Contains(out, "FuzzFinding: 1000 inputs made of 2 seeds") {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := run("", "-blind=1ms"); err != nil || !strings.Contains(out, "inputs made of 2 seeds") {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := run("", "-blind=soon"); err == nil || !strings.Contains(out, `-blind "soon"`) {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := run("yes", "-blind=1000000x"); err == nil || !strings.Contains(out, "Failing input written") {
		t.Fatalf("%v: %s", err, out)
	}
	files, _ := filepath.Glob(filepath.Join(folder, "testdata/fuzz/FuzzFinding/*"))
	if out, err := run("yes"); err == nil || len(files) != 1 || !strings.Contains(out, "found") {
		t.Errorf("%q: %v: %s", files, err, out)
	}
	if out, err := run(""); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// TestMutator: an input differs from its seed now and then in every argument,
// and the seeds stay as they are.
func TestMutator(t *testing.T) {
	values := func(args ...any) (list []reflect.Value) {
		for _, a := range args {
			list = append(list, reflect.ValueOf(a))
		}
		return list
	}
	m := &mutator{random: rand.New(rand.NewPCG(1, 0)), seeds: [][]reflect.Value{
		values("text", []byte("bytes"), 7, uint8(200), 1.5, true),
		values("", []byte(nil), -1, uint8(0), 0.0, false),
	}}
	args := make([]reflect.Value, 6)
	different := make([]map[any]bool, len(args))
	for range 20_000 {
		m.next(args)
		for i, arg := range args {
			if different[i] == nil {
				different[i] = map[any]bool{}
			}
			v := arg.Interface()
			if b, ok := v.([]byte); ok {
				v = string(b)
			}
			different[i][v] = true
		}
	}
	for i, least := range []int{2000, 2000, 50, 50, 500, 2} {
		if n := len(different[i]); n < least {
			t.Errorf("argument %d had %d values", i, n)
		}
	}
	if s := m.seeds[0][0].String() + string(m.seeds[0][1].Bytes()); s != "textbytes" {
		t.Errorf("the seed became %q", s)
	}
}
