// Command mutants finds changes of a package's code that its own tests do not
// notice:
//
//	mutants [-exec COMMAND] [-run REGEXP] [-slack DURATION] [-list FILE] FOLDER...
//
// The changes are those of go-gremlins, one operator at a time. go-gremlins
// rebuilds a package's tests for each; this builds all changes into one test
// binary, where an environment variable turns one of them on. Each is tried with
// the tests that cover its line, fast ones first, until one fails or hangs.
// Changes that make a test hang are logged: on a busy machine some only seem to,
// so try those again with -run and a longer -slack.
//
// The list has a line for each change that may survive: the file, the line's
// text, the change and the reason, with tabs between them. The command fails if
// less than 95 % of a package's changes are noticed, if the list lacks a
// survivor, and if it has a change that does not survive.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"regexp"
	"strings"
	"time"
)

const enough = 95 // per cent

func main() {
	log.SetFlags(log.Ltime)
	exec := flag.String("exec", "", "run test binaries with `COMMAND`, for example \"nice -n 19\"")
	only := flag.String("run", "", "try only what `REGEXP` matches of the lines that are printed, and judge nothing")
	slack := flag.Duration("slack", 5*time.Second, "a test hangs if it takes three times as long as without a change, and `DURATION`")
	name := flag.String("list", "", "`FILE` with the changes that may survive")
	flag.Parse()
	listed := map[string]bool{}
	if *name != "" {
		text, err := os.ReadFile(*name)
		if err == nil {
			listed, err = parseList(string(text))
		}
		if err != nil {
			log.Fatalf("%s: %v", *name, err)
		}
	}
	failed := false
	for _, dir := range flag.Args() {
		p := &pkg{dir: dir, exec: strings.Fields(*exec), only: regexp.MustCompile(*only), slack: *slack, log: log.Printf}
		if err := p.try(); err != nil {
			log.Fatalf("%s: %v", dir, err)
		}
		fmt.Println(p)
		if *only != "" {
			continue
		}
		for _, c := range p.complaints(listed) {
			fmt.Println(c)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

// parseList returns the keys of the mutants that a list names.
func parseList(text string) (map[string]bool, error) {
	listed := map[string]bool{}
	for i, line := range strings.Split(text, "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		fields := strings.Split(line, "\t")
		if len(fields) != 4 || fields[3] == "" {
			return nil, fmt.Errorf("line %d: expected a file, its line, a change and a reason, with tabs between them", i+1)
		}
		key := strings.Join(fields[:3], "\t")
		if listed[key] {
			return nil, fmt.Errorf("line %d: the change is listed twice", i+1)
		}
		listed[key] = true
	}
	return listed, nil
}

// complaints returns what is wrong with the results of p's mutants.
func (p *pkg) complaints(listed map[string]bool) []string {
	var list []string
	alive := map[string]bool{}
	for _, m := range p.survivors {
		alive[m.key()] = true
		if !listed[m.key()] {
			list = append(list, "not listed: "+m.String())
		}
	}
	for key := range listed {
		file, _, _ := strings.Cut(key, "\t")
		if p.sources[file] && !alive[key] {
			list = append(list, "listed, but noticed or gone: "+strings.ReplaceAll(key, "\t", ": "))
		}
	}
	if p.percent() < enough {
		list = append(list, fmt.Sprintf("%.1f %% are noticed; expected %d %%", p.percent(), enough))
	}
	return list
}
