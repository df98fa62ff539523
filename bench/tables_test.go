package bench

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/perf/benchfmt"
)

var update = flag.Bool("update", false, "write README.md's tables from results.txt")

// results holds the passes of one benchmark, by unit.
type results map[string][]float64

// readResults reads the output of run: the benchmarks by name, in order.
func readResults(t *testing.T, file string) (names []string, all map[string]results) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("nothing was measured")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all = map[string]results{}
	r := benchfmt.NewReader(f, file)
	for r.Scan() {
		line, ok := r.Result().(*benchfmt.Result)
		if !ok {
			continue
		}
		base, parts := line.Name.Parts()
		name := string(base)
		for _, p := range parts {
			if p[0] != '-' { // the number of processors
				name += string(p)
			}
		}
		if all[name] == nil {
			all[name] = results{}
			names = append(names, name)
		}
		for _, v := range line.Values {
			all[name][v.Unit] = append(all[name][v.Unit], v.Value)
		}
	}
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	return names, all
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// ratio is the median of the passes' ratios, since a disturbance affects both
// sides of a pass.
func ratio(values, floor []float64) string {
	var list []float64
	for i := range min(len(values), len(floor)) {
		if floor[i] > 0 {
			list = append(list, values[i]/floor[i])
		}
	}
	if len(list) == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", median(list))
}

// spread is the median with the minimum and the maximum.
func spread(values []float64, scale float64) string {
	if len(values) == 0 {
		return ""
	}
	return fmt.Sprintf("%s (%s to %s)", short(median(values)*scale), short(slices.Min(values)*scale), short(slices.Max(values)*scale))
}

func short(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// key returns the value of a key in a benchmark's name.
func key(name, key string) string {
	_, rest, _ := strings.Cut(name, "/"+key+"=")
	value, _, _ := strings.Cut(rest, "/")
	return value
}

// TestTables writes the tables of README.md with -update. Otherwise it only
// checks that each one has a place there.
func TestTables(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !*update {
		for name := range tables {
			if bytes.Count(readme, []byte("<!-- "+name+" -->\n")) != 1 || bytes.Count(readme, []byte("<!-- end of "+name+" -->\n")) != 1 {
				t.Errorf("README.md has no place for the table %q", name)
			}
		}
		return
	}
	names, all := readResults(t, "results.txt")
	for name, write := range tables {
		var b bytes.Buffer
		write(&b, names, all)
		if bytes.Count(b.Bytes(), []byte("\n")) <= 2 {
			continue // it was not measured
		}
		begin, end := []byte("<!-- "+name+" -->\n"), []byte("<!-- end of "+name+" -->\n")
		before, rest, ok1 := bytes.Cut(readme, begin)
		_, after, ok2 := bytes.Cut(rest, end)
		if !ok1 || !ok2 {
			t.Fatalf("README.md has no place for the table %q", name)
		}
		readme = slices.Concat(before, begin, b.Bytes(), end, after)
	}
	if err := os.WriteFile("README.md", readme, 0o644); err != nil {
		t.Fatal(err)
	}
}

type writer = func(b *bytes.Buffer, names []string, all map[string]results)

var tables = map[string]writer{
	"function":    against("Function", "bare"),
	"token-cache": against("TokenCache", "mutex-map"),
	"envelope":    against("Envelope", "json.Marshal"),
	"signature":   against("Signature", "twilio-go"),
	"retry":       retryTable,
	"load":        loadTable,
	"start":       startTable,
	"growth":      growthTable,
	"build":       buildTable,
	"startup":     startupTable,
}

// against compares the times of one benchmark with one library's.
func against(bench, floor string) writer {
	return func(b *bytes.Buffer, names []string, all map[string]results) {
		fmt.Fprintf(b, "| | ns | of %s | allocations |\n|---|---|---|---|\n", floor)
		for _, name := range names {
			if base, _, _ := strings.Cut(name, "/"); base != bench {
				continue
			}
			r := all[name]
			fmt.Fprintf(b, "| %s | %s | %s | %.0f |\n", key(name, "lib"), spread(r["sec/op"], 1e9), ratio(r["sec/op"], all[bench+"/lib="+floor]["sec/op"]), median(r["allocs/op"]))
		}
	}
}

func retryTable(b *bytes.Buffer, names []string, all map[string]results) {
	var cases, libs []string
	for _, name := range names {
		if strings.HasPrefix(name, "Retry/") {
			if c := key(name, "case"); !slices.Contains(cases, c) {
				cases = append(cases, c)
			}
			if l := key(name, "lib"); !slices.Contains(libs, l) {
				libs = append(libs, l)
			}
		}
	}
	fmt.Fprintf(b, "| library | %s |\n|---|%s\n", strings.Join(cases, " | "), strings.Repeat("---|", len(cases)))
	for _, l := range libs {
		fmt.Fprintf(b, "| %s |", l)
		for _, c := range cases {
			r := all["Retry/case="+c+"/lib="+l]
			fmt.Fprintf(b, " %s / %.0f |", spread(r["sec/op"], 1e9), median(r["allocs/op"]))
		}
		b.WriteString("\n")
	}
}

func loadTable(b *bytes.Buffer, names []string, all map[string]results) {
	b.WriteString("| case | connections | server | requests/s | of bare | p50 ms | p99 ms | p99, of bare | CPU µs/request | CPU, of bare | MB | failed |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, name := range names {
		if !strings.HasPrefix(name, "Load/") {
			continue
		}
		r, lib := all[name], key(name, "lib")
		bare := all[strings.TrimSuffix(name, lib)+"bare"]
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %.0f |\n", key(name, "case"), key(name, "conns"), lib,
			spread(r["req/s"], 1), ratio(r["req/s"], bare["req/s"]), short(median(r["p50-sec"])*1e3), short(median(r["p99-sec"])*1e3),
			ratio(r["p99-sec"], bare["p99-sec"]), spread(r["cpu-sec/req"], 1e6), ratio(r["cpu-sec/req"], bare["cpu-sec/req"]), short(median(r["resident-bytes"])/1e6), slices.Max(r["failed"]))
	}
}

func startTable(b *bytes.Buffer, names []string, all map[string]results) {
	b.WriteString("| server | ms to the first answer | MB then |\n|---|---|---|\n")
	for _, name := range names {
		if strings.HasPrefix(name, "Start/") {
			fmt.Fprintf(b, "| %s | %s | %s |\n", key(name, "lib"), spread(all[name]["start-sec"], 1e3), short(median(all[name]["resident-bytes"])/1e6))
		}
	}
}

func buildTable(b *bytes.Buffer, names []string, all map[string]results) {
	b.WriteString("| build | s |\n|---|---|\n")
	for _, name := range names {
		if strings.HasPrefix(name, "Build/") {
			fmt.Fprintf(b, "| %s | %s |\n", strings.ReplaceAll(key(name, "what"), "-", " "), spread(all[name]["sec/op"], 1))
		}
	}
}

// startupTable makes a table from startup's output.
func startupTable(b *bytes.Buffer, _ []string, _ map[string]results) {
	if text, err := os.ReadFile("startup.txt"); err == nil {
		b.Write(text)
	}
}

// growthTable shows each measurement, without a median.
func growthTable(b *bytes.Buffer, names []string, all map[string]results) {
	b.WriteString("| what | µs each | heap MB | others |\n|---|---|---|---|\n")
	for _, name := range names {
		rest, ok := strings.CutPrefix(name, "GrowthOf")
		if !ok {
			continue
		}
		what, of, _ := strings.Cut(rest, "/")
		var each, memory, others string
		for unit, values := range all[name] {
			switch {
			case unit == "sec/op":
			case strings.HasPrefix(unit, "sec/"):
				each = short(median(values) * 1e6)
			case unit == "heap-bytes":
				memory = short(median(values) / 1e6)
			default:
				others = fmt.Sprintf("%s %s", short(median(values)), unit)
			}
		}
		fmt.Fprintf(b, "| %s, %s | %s | %s | %s |\n", strings.ToLower(what), strings.ReplaceAll(of, "/", ", "), each, memory, others)
	}
}
