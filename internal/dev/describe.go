package dev

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"path/filepath"

	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/internal/proc"
)

// Describe builds and runs p, and returns the OpenAPI document of its
// functions, with the title, version, server and trim in query. p.Env must set
// [link.DescribeVariable] to the query and [link.KeyVariable] to key.
//
// A program served by package host prints the document and ends. Any other
// program is asked over HTTP once it listens.
//
// It runs the program itself, and not a second one that imports its packages:
// what the document says cannot differ from what runs, whatever the layout of
// the module. The program must therefore start with the settings in p.Env. It
// is stopped as soon as it has answered.
func (p *Program) Describe(ctx context.Context, key string, query url.Values) ([]byte, error) {
	guard, err := proc.NewGuard()
	if err != nil {
		return nil, err
	}
	defer guard.Close()
	making, cancel := context.WithTimeout(ctx, buildTime)
	defer cancel()
	file := filepath.Join(guard.Temp(), executable("described"))
	if err := p.make(making, guard, file); err != nil {
		return nil, err
	}
	env, err := p.Env()
	if err != nil {
		return nil, err
	}
	var printed bytes.Buffer
	c, err := launch(guard, file, p.Dir, env, &printed, p.Output)
	if err != nil {
		return nil, err
	}
	defer c.stop()
	err = c.awaitListening(ctx)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, describeTime)
		defer cancel()
		return link.Document(ctx, c.handler(), key, query)
	}
	if !c.ended() {
		return nil, err
	}
	before, document := cutDocument(printed.Bytes())
	_, _ = p.Output.Write(before)
	if c.err != nil || document == nil {
		return nil, fmt.Errorf("the program in %s ended without describing its functions: %s; what it printed says why. "+
			"If it needs a setting of its own, set that in the environment or in .env.example", p.Dir, c.ending())
	}
	return document, nil
}

// cutDocument separates the document from the output that the program printed
// before it. A program may print before its main function gets to package host,
// for example from an init function. The last match counts.
func cutDocument(printed []byte) (before, document []byte) {
	i := bytes.LastIndex(printed, []byte("{\n  \"openapi\": "))
	if i < 0 {
		return printed, nil
	}
	return printed[:i], printed[i:]
}
