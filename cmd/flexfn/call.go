package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/flexfn/flexfn"
)

type callCommand struct {
	Path       string   `arg:"" help:"The function's path, such as /demo/greet."`
	Parameters []string `arg:"" optional:"" help:"Parameters, each as key=value."`
	URL        string   `name:"url" default:"http://127.0.0.1:3001" help:"Where the functions answer (default: ${default})."`
	As         string   `xor:"who" placeholder:"PERSON" help:"Call as this development person: agent (the default), supervisor, admin, guest, expired, invalid, outage."`
	Token      string   `xor:"who" env:"FLEX_TOKEN" help:"Call with this Flex token."`
	Twilio     bool     `xor:"who" help:"Call as Twilio does for Studio: sign the request."`
	AuthToken  string   `name:"auth-token" default:"${authtoken}" help:"With --twilio, the auth token to sign with; that of flexfn dev when absent."`
	PublicURL  string   `name:"public-url" help:"With --twilio, the base URL that Twilio would call, when it is not --url."`
	JSON       bool     `name:"json" help:"Send JSON in place of a form."`
}

// Run calls once. It fails unless the answer is a success.
func (c *callCommand) Run(ctx context.Context, env environment) error {
	form := url.Values{}
	for _, p := range c.Parameters {
		key, value, ok := strings.Cut(p, "=")
		if !ok || key == "" {
			return fmt.Errorf("the parameter %q is not of the form key=value", p)
		}
		form.Add(key, value)
	}
	switch {
	case c.Token != "":
		form.Set("Token", c.Token)
	case c.As != "":
		form.Set("Token", "dev-"+c.As)
	case !c.Twilio:
		form.Set("Token", "dev-agent")
	}
	address := strings.TrimSuffix(c.URL, "/") + c.Path
	public := address
	if c.PublicURL != "" {
		public = strings.TrimSuffix(c.PublicURL, "/") + c.Path
	}
	body, contentType := []byte(form.Encode()), formType
	if c.JSON {
		var err error
		if body, err = json.Marshal(object(form)); err != nil {
			return err
		}
		contentType = "application/json"
		if c.Twilio {
			query := flexfn.AddBodyHash(public, body)[len(public):]
			public, address = public+query, address+query
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%q is no address: %w", address, err)
	}
	req.Header.Set("Content-Type", contentType)
	if c.Twilio {
		req.Header.Set("X-Twilio-Signature", flexfn.Signature(c.AuthToken, public, contentType, body))
	}
	client := &http.Client{Timeout: 30 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("no answer from %s: %w; is it running? flexfn dev starts it", c.URL, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 32<<20))
	if err != nil {
		return fmt.Errorf("the answer broke off: %w", err)
	}
	var pretty bytes.Buffer
	if json.Indent(&pretty, text, "", "  ") == nil {
		text = pretty.Bytes()
	}
	fmt.Fprintln(env.stderr, resp.Status)
	fmt.Fprintf(env.stdout, "%s\n", bytes.TrimRight(text, "\n"))
	if resp.StatusCode >= 300 {
		return errSilent
	}
	return nil
}

// object is the form as JSON: repeated keys are lists.
func object(form url.Values) map[string]any {
	m := make(map[string]any, len(form))
	for k, v := range form {
		if m[k] = v; len(v) == 1 {
			m[k] = v[0]
		}
	}
	return m
}
