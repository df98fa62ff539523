// Package blind runs fuzz targets without Go's fuzzing engine, which spends some
// 15 µs on an input. That is more than most targets spend, and ten million
// inputs should take minutes.
//
// An input is not guided by the code that it reaches. It is a seed, of f.Add or
// testdata/fuzz, in which pieces were changed, moved, or taken from other seeds,
// so that a target is worth as much as its seeds.
package blind

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	amount = flag.String("blind", "", "run fuzz targets on a `number` of inputs (10000000x), or for a time (30s), without coverage")
	seed   = flag.Uint64("blindseed", 0, "what the inputs depend on, besides the target's seeds; 0 takes the time")
)

// Fuzz is f.Fuzz(fn). With the flag -blind, as in
//
//	go test -run FuzzLog -blind 10000000x .
//
// it also calls fn with that many inputs, all with the T of the last seed. An
// input for which fn fails is written where Go's engine writes it.
func Fuzz(f *testing.F, fn any) {
	f.Helper()
	engine := flag.Lookup("test.fuzz")
	if *amount == "" || engine != nil && engine.Value.String() != "" {
		f.Fuzz(fn)
		return
	}
	count, err := strconv.ParseUint(strings.TrimSuffix(*amount, "x"), 10, 64)
	limit := time.Duration(1 << 62)
	if err != nil {
		count = 1 << 62
		if limit, err = time.ParseDuration(*amount); err != nil {
			f.Fatalf("-blind %q: want a number of inputs like 1000000x, or a time like 30s", *amount)
		}
	}
	call := reflect.ValueOf(fn)
	m := &mutator{random: rand.New(rand.NewPCG(cmp.Or(*seed, uint64(time.Now().UnixNano())), 0))}
	f.Fuzz(reflect.MakeFunc(call.Type(), func(args []reflect.Value) []reflect.Value {
		call.Call(args)
		m.seeds = append(m.seeds, args[1:])
		// The engine calls with one seed after the other; its list says how many
		// there are.
		if len(m.seeds) == reflect.ValueOf(f).Elem().FieldByName("corpus").Len() {
			m.run(args[0].Interface().(*testing.T), f.Name(), call, count, limit)
		}
		return nil
	}).Interface())
}

// run calls fn count times, or until the limit has passed.
func (m *mutator) run(t *testing.T, name string, fn reflect.Value, count uint64, limit time.Duration) {
	args := make([]reflect.Value, fn.Type().NumIn())
	args[0] = reflect.ValueOf(t)
	began, tried, passed := time.Now(), uint64(0), false
	defer func() { // also after a panic, and the Goexit of t.Fatal
		if !passed {
			t.Logf("%s after %d inputs", save(name, args[1:]), tried)
		}
	}()
	for tried < count && !t.Failed() {
		m.next(args[1:])
		fn.Call(args)
		if tried++; tried%256 == 0 && time.Since(began) > limit {
			break
		}
	}
	if passed = !t.Failed(); passed {
		fmt.Printf("blind: %s: %d inputs made of %d seeds in %s\n", name, tried, len(m.seeds), time.Since(began).Round(10*time.Millisecond))
	}
}

// save writes an input as a seed, in the format of Go's engine, and says where.
func save(name string, args []reflect.Value) string {
	var text strings.Builder
	text.WriteString("go test fuzz v1\n")
	for _, arg := range args {
		switch arg.Kind() {
		case reflect.String, reflect.Slice:
			fmt.Fprintf(&text, "%s(%q)\n", strings.Replace(arg.Type().String(), "uint8", "byte", 1), arg.Interface())
		default:
			fmt.Fprintf(&text, "%s(%v)\n", arg.Type(), arg.Interface())
		}
	}
	folder := filepath.Join("testdata", "fuzz", name)
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err.Error()
	}
	file, err := os.CreateTemp(folder, "blind-")
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	if _, err := file.WriteString(text.String()); err != nil {
		return err.Error()
	}
	return "Failing input written to " + file.Name() + ":\n" + text.String()
}
