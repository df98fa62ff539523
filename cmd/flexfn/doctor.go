package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/flexfn/flexfn"
	"github.com/flexfn/flexfn/functions"
	"github.com/flexfn/flexfn/host"
	"github.com/flexfn/flexfn/internal/link"
	"github.com/flexfn/flexfn/internal/setting"
	"github.com/flexfn/flexfn/signature"
	"github.com/flexfn/flexfn/twilioapi"
	api "github.com/twilio/twilio-go/rest/api/v2010"
	taskrouter "github.com/twilio/twilio-go/rest/taskrouter/v1"
)

// doctorCommand checks settings before a server is started with them. The
// checks are the real ones: an app is made, requests are signed and sent to it,
// and a preflight is answered, so that a finding is what would happen in
// production, not a guess from the settings.
type doctorCommand struct {
	EnvFile []string `name:"env-file" type:"existingfile" placeholder:"FILE" help:"Also read variables from this file; the environment takes precedence."`
	Live    bool     `help:"Also check the credentials, the workspace and the clock with Twilio. Changes nothing there."`
	Origin  string   `default:"https://flex.twilio.com" help:"Web origin of the callers, for the CORS check."`
	URL     string   `name:"url" placeholder:"URL" help:"A server that runs with these settings, for the CORS check; by default only the settings are checked."`
	Migrate []string `sep:"none" placeholder:"URL|FILE" help:"The Flex plugin's configuration: its ui_attributes in a file, or https://flex-api.twilio.com/v1/Configuration, which is read with the account's credentials. Says which of the features that are on this server serves. Given twice, the second is merged into the first."`
}

// Run runs every check. It returns an error if any check fails. Without an app,
// the checks that need one are left out. Files that are named later only add
// what is not set yet.
func (d *doctorCommand) Run(ctx context.Context, env environment) error {
	lookup, names := env.lookup, []string(nil)
	for _, file := range d.EnvFile {
		vars, err := readEnvFile(file)
		if err != nil {
			return err
		}
		outer := lookup
		lookup = func(name string) (string, bool) {
			if v, ok := outer(name); ok {
				return v, ok
			}
			v, ok := vars[name]
			return v, ok
		}
		for name := range vars {
			names = append(names, name)
		}
	}
	r := &report{out: env.stdout}
	config := flexfn.FromLookup(lookup)
	config.Logger = slog.New(slog.DiscardHandler)
	app := r.environment(config, lookup, names)
	if app != nil {
		config = app.Config()
		r.regions(config)
		r.workspace(config)
		r.publicURL(config)
		r.signatures(config)
		r.cors(ctx, app, d.Origin, d.URL)
		r.deadlines(config, lookup)
		if len(d.Migrate) > 0 {
			r.migrate(ctx, app, functions.FromLookup(lookup), d.Migrate)
		}
		if d.Live {
			r.live(ctx, config)
		} else {
			r.say(skipped, "credentials, workspace and clock", "not checked with Twilio", "run it with --live")
		}
	}
	fmt.Fprintf(env.stdout, "\n%d failed, %d to look at\n", r.counts[failed], r.counts[warning])
	if r.counts[failed] > 0 {
		return exitCode(exitFailure)
	}
	return nil
}

// report prints findings as they are found, since --live can take half a
// minute.
type report struct {
	out    io.Writer
	counts [4]int
}

// A severity says what a finding means for the exit code: only failed changes
// it.
type severity int

// The severities. skipped is for what was not checked, and needs no attention.
const (
	fine severity = iota
	skipped
	warning
	failed
)

func (s severity) String() string { return [...]string{"ok", "skip", "warn", "FAIL"}[s] }

// say prints a finding and its remedy. Neither may contain a secret. fix is
// empty if there is nothing to do.
func (r *report) say(s severity, what, finding, fix string) {
	r.counts[s]++
	fmt.Fprintf(r.out, "%-4s  %s: %s\n", s, what, finding)
	if fix != "" {
		fmt.Fprintf(r.out, "      → %s\n", fix)
	}
}

// environment makes the app as a server would, and returns nil if a server
// would not start.
//
// It finds misspelled settings by their prefix FLEXFN_, but only in files: the
// environment of a server has variables of many others. What package host reads
// is learnt from package host itself.
func (r *report) environment(config flexfn.Config, lookup func(string) (string, bool), names []string) *flexfn.App {
	// With the one a program answers only flexfn dev, with the other it prints
	// its description and ends.
	for _, name := range []string{link.KeyVariable, link.DescribeVariable} {
		if v, _ := lookup(name); v != "" {
			r.say(failed, "environment", name+" is set: the app would only answer flexfn's tools", "unset it; the tools set it themselves")
		}
	}
	app, err := flexfn.New(config)
	if err != nil {
		for _, fault := range unjoin(err) {
			r.say(failed, "environment", fault.Error(), "")
		}
		return nil
	}
	set := 0
	var known []string
	for _, s := range append(setting.App(), functions.Settings()...) {
		known = append(known, s.Names...)
		if s.Secret {
			known = append(known, s.Names[0]+setting.FileSuffix)
		}
		if slices.ContainsFunc(s.Names, func(n string) bool { v, ok := lookup(n); return ok && v != "" }) {
			set++
		}
	}
	features := functions.FromLookup(lookup)
	wrong := features.Add(app)
	if wrong != nil {
		for _, fault := range unjoin(wrong) {
			r.say(failed, "environment", fault.Error(), "")
		}
	}
	for _, f := range features.Status(app.Config()) {
		switch {
		case !f.Chosen:
		case len(f.Missing) > 0:
			r.say(skipped, "feature "+f.Name, "off: it needs "+strings.Join(f.Missing, ", "), "")
		case f.Limit != "":
			r.say(skipped, "feature "+f.Name, "on, but "+f.Limit, "")
		}
	}
	if wrong == nil {
		r.say(fine, "environment", fmt.Sprintf("%d settings are set, and a server would start", set), "")
	}
	host.FromLookup(func(name string) (string, bool) {
		known = append(known, name) // variables that package host reads
		return "", false
	})
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if strings.HasPrefix(name, "FLEXFN_") && !slices.Contains(known, name) {
			r.say(warning, "environment", "unknown setting "+name, "look for a typo; docs/configuration.md lists the settings")
		}
	}
	if config.TwilioURL != "" {
		r.say(warning, "environment", "FLEXFN_TWILIO_URL is set: everything meant for Twilio goes there, the auth token too", "unset it in production")
	}
	return app
}

// unjoin lists the errors that errors.Join joined. Faults are easier to fix one
// on a line than in a paragraph.
func unjoin(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var list []error
	for _, e := range joined.Unwrap() {
		list = append(list, unjoin(e)...)
	}
	return list
}

// regions says which of Twilio's regions the settings name. The token of
// another region is a common mistake, which only --live can prove.
func (r *report) regions(config flexfn.Config) {
	switch {
	case config.Region == "" && config.Edge == "":
		r.say(fine, "region", "the United States (us1), which is Twilio's default", "")
	case config.Region == "":
		r.say(warning, "region", fmt.Sprintf("TWILIO_EDGE is %s and TWILIO_REGION is not set: data stays in us1, behind that edge", config.Edge), "set TWILIO_REGION too, if the account's data is elsewhere")
	default:
		edge := "no edge"
		if config.Edge != "" {
			edge = "edge " + config.Edge
		}
		r.say(fine, "region", fmt.Sprintf("%s, %s; AUTH_TOKEN must be the token of that region", config.Region, edge), "")
	}
}

// workspace warns if no workspace is set. Only --live can tell whether it
// exists.
func (r *report) workspace(config flexfn.Config) {
	if config.WorkspaceSID == "" {
		r.say(warning, "workspace", "TWILIO_FLEX_WORKSPACE_SID is not set: functions that use TaskRouter will fail", "set it to the SID of the workspace \"Flex Task Assignment\" (WS…)")
		return
	}
	r.say(fine, "workspace", "TWILIO_FLEX_WORKSPACE_SID is set", "")
}

// publicURL checks that PUBLIC_URL is set, and that Twilio can call it, over
// TLS. It makes no request: an address that Twilio cannot reach is recognised
// by its form.
func (r *report) publicURL(config flexfn.Config) {
	const what = "public URL"
	if config.PublicURL == "" {
		r.say(warning, what, "PUBLIC_URL is not set, so the Host header of each request is trusted", "set it to the beginning of the URLs that are written in Twilio, such as https://functions.example.com")
		return
	}
	u, err := url.Parse(config.PublicURL)
	if err != nil {
		r.say(failed, what, "PUBLIC_URL is not a URL", "write it as in Twilio")
		return
	}
	ip := net.ParseIP(u.Hostname())
	switch {
	case u.Hostname() == "localhost" || ip != nil && (ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast()):
		r.say(warning, what, u.Hostname()+" cannot be reached from Twilio", "set PUBLIC_URL to the address that Twilio calls, such as a tunnel's")
	case u.Scheme != "https":
		r.say(warning, what, "Twilio would call without TLS: signed requests can be read and sent again", "use https")
	default:
		r.say(fine, what, u.Scheme+"://"+u.Host+u.Path, "") // leaves out user and password
	}
}

// signatures tests which requests pass the signature check behind common kinds
// of proxies, with these settings.
//
// It signs a request as Twilio would and sends it to an app with these
// settings, as each kind of proxy would pass it on. The first kind must work.
// The others are warnings, since they only matter to those who have such a
// proxy.
func (r *report) signatures(config flexfn.Config) {
	const path = "/flexfn-doctor"
	config.Transport = nil
	app, err := flexfn.New(config)
	if err != nil {
		return // reported already
	}
	app.Handle(config.AddedPathPrefix+path, flexfn.PrepareStudioFunction(func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil }))
	base := strings.TrimSuffix(config.PublicURL, "/")
	if base == "" {
		base = "https://functions.example.com"
	}
	base, _, _ = strings.Cut(base, "#")
	host := ""
	if u, err := url.Parse(base); err == nil {
		host = u.Host
	}
	const form = "application/x-www-form-urlencoded"
	for _, proxy := range []struct {
		name   string
		header map[string]string
		host   string
	}{
		{"nothing in front, or a proxy that keeps Host", nil, host},
		{"a proxy that changes Host and reports it in X-Forwarded-Host and -Proto", map[string]string{"X-Forwarded-Host": host, "X-Forwarded-Proto": "https"}, "10.0.0.5:8080"},
		{"a proxy that changes Host and does not report it", nil, "10.0.0.5:8080"},
	} {
		body := "From=%2B15550100"
		req := httptest.NewRequest(http.MethodPost, config.AddedPathPrefix+path, strings.NewReader(body))
		req.Host = proxy.host
		req.RemoteAddr = "10.0.0.1:40000"
		req.Header.Set("Content-Type", form)
		for k, v := range proxy.header {
			req.Header.Set(k, v)
		}
		req.Header.Set("X-Twilio-Signature", signature.Sign(config.AuthToken, base+path, form, []byte(body)))
		w := httptest.NewRecorder()
		app.ServeHTTP(w, req)
		what := "signature, " + proxy.name
		switch {
		case w.Code == http.StatusOK:
			r.say(fine, what, "accepted", "")
		case proxy.host == host:
			r.say(failed, what, fmt.Sprintf("Twilio's requests to %s would be refused", host), "compare PUBLIC_URL with the URLs that are written in Twilio")
		default:
			fix := "if yours is like this, set PUBLIC_URL"
			if proxy.header != nil {
				fix += ", or FLEXFN_TRUSTED_PROXIES"
			}
			r.say(warning, what, "Twilio's requests would be refused", fix)
		}
	}
}

// cors sends what a browser would: a preflight, and a call.
//
// With --url it asks that server, through whatever proxies are in front of it,
// and otherwise the app. Redirects are not followed, since a browser does not
// follow one for a preflight either.
func (r *report) cors(ctx context.Context, app *flexfn.App, origin, server string) {
	what := "CORS from " + origin
	// Checked as a list, so that * is refused too: a page cannot have it as
	// its origin.
	listed := app.Config()
	listed.AllowedOrigins = []string{origin, "https://flex.twilio.com"}
	if _, err := flexfn.New(listed); err != nil {
		r.say(failed, what, strings.TrimPrefix(unjoin(err)[0].Error(), "FLEXFN_ALLOWED_ORIGINS: "), "correct --origin")
		return
	}
	do := func(req *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		app.ServeHTTP(w, req)
		return w.Result(), nil
	}
	base := "http://127.0.0.1"
	if server != "" {
		u, err := url.Parse(server)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			r.say(failed, what, "--url is not the URL of a server", "write it as https://functions.example.com")
			return
		}
		base = strings.TrimSuffix(server, "/")
		client := &http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		do = client.Do
		what += " at " + strings.TrimSuffix(u.Redacted(), "/")
	}
	for _, method := range []string{http.MethodOptions, http.MethodPost} {
		// A path without a function: even that answer must be readable.
		req, err := http.NewRequestWithContext(ctx, method, base+"/flexfn-doctor", nil)
		if err != nil {
			r.say(failed, what, "the server's address is not a URL", "write it as https://functions.example.com")
			return
		}
		req.Header.Set("Origin", origin)
		if method == http.MethodOptions {
			req.Header.Set("Access-Control-Request-Method", http.MethodPost)
			req.Header.Set("Access-Control-Request-Headers", "authorization,content-type")
		}
		resp, err := do(req)
		if err != nil {
			r.say(failed, what, "no answer: "+err.Error(), "is the server running, and is its address right?")
			return
		}
		_ = resp.Body.Close()
		if finding := readable(method, resp, origin); finding != "" {
			fix := "add the origin to FLEXFN_ALLOWED_ORIGINS, exactly as shown here"
			if server != "" {
				fix += "; if it is already there, check the proxies in front of the server"
			}
			r.say(failed, what, finding, fix)
			return
		}
	}
	r.say(fine, what, "a page there may call and read every answer", "")
}

// readable returns the reason why a browser would keep an answer from a page of
// origin, or "" if it would not (Fetch standard, CORS check and CORS-preflight
// fetch). Both headers that the plugin may send are asked for.
func readable(method string, resp *http.Response, origin string) string {
	allowed := resp.Header.Values("Access-Control-Allow-Origin")
	switch {
	case len(allowed) == 0:
		return "the page cannot read the answer: it has no Access-Control-Allow-Origin"
	case len(allowed) > 1:
		return "the page cannot read the answer: Access-Control-Allow-Origin is set twice, so a proxy adds its own"
	case allowed[0] != "*" && allowed[0] != origin:
		return fmt.Sprintf("the page cannot read the answer: it is for %s", allowed[0])
	case method != http.MethodOptions:
		return ""
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return fmt.Sprintf("the preflight is answered with status %d", resp.StatusCode)
	}
	for _, name := range []string{"authorization", "content-type"} {
		if !strings.Contains(strings.ToLower(resp.Header.Get("Access-Control-Allow-Headers")), name) {
			return "the preflight does not allow the header " + name
		}
	}
	return ""
}

// deadlines warns if a Studio function may take longer than Studio waits, or if
// one attempt may use up all the time of a function. Studio gives up after ten
// seconds.
func (r *report) deadlines(config flexfn.Config, lookup func(string) (string, bool)) {
	const what = "deadlines"
	ok := true
	if config.StudioDeadline >= 10*time.Second {
		ok = false
		r.say(warning, what, fmt.Sprintf("Studio functions have %s, but Studio waits 10s", config.StudioDeadline), "set FLEXFN_STUDIO_DEADLINE to 8s or so")
	}
	attempt := 5 * time.Second
	if v, set := lookup("FLEXFN_ATTEMPT_TIMEOUT"); set {
		if d, err := time.ParseDuration(v); err == nil {
			attempt = d
		}
	}
	if shortest := min(config.FlexDeadline, config.StudioDeadline); attempt >= shortest {
		ok = false
		r.say(warning, what, fmt.Sprintf("one attempt may take %s, all the time of a function, which leaves none for a retry", attempt), "set FLEXFN_ATTEMPT_TIMEOUT to less than half of "+shortest.String())
	}
	if ok {
		r.say(fine, what, fmt.Sprintf("%s for Flex, %s for Studio, %s for one attempt", config.FlexDeadline, config.StudioDeadline, attempt), "")
	}
}

// live checks the settings with Twilio. It changes nothing there.
//
// Every question only reads. If Twilio refuses the credentials, later questions
// would only repeat that, so they are skipped. An answer without one of
// Twilio's codes came from a proxy or a login page on the way, and is reported
// as that.
func (r *report) live(ctx context.Context, config flexfn.Config) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var clock string
	// ask makes a client of its own for each question, since the credentials
	// differ: the auth token first, then the API key.
	admitted := true // so far
	ask := func(what, fix string, config flexfn.Config, call func(*twilioapi.Client) (string, error)) {
		if !admitted {
			r.say(skipped, what, "not asked, since Twilio refuses the credentials", "")
			return
		}
		app, err := flexfn.New(config)
		if err != nil {
			r.say(failed, what, err.Error(), "")
			return
		}
		res := twilioapi.ExecuteTwilio(app.Context(ctx), func(client *twilioapi.Client) (string, error) {
			said, err := call(client)
			clock = twilioapi.ResponseHeader(client).Get("Date")
			return said, err
		})
		// Twilio's own failures have a code. An answer without one comes from
		// something in between, and so does its Date.
		finding := fmt.Sprintf("Twilio answers %d: %s", res.Status, res.Message)
		switch {
		case res.Success:
			r.say(fine, what, res.Data, "")
			return
		case res.TwilioErrorCode == 0:
			clock = ""
			finding, fix = "Twilio cannot be reached: "+res.Message, "check the network, any proxy, the region and the edge"
			if config.TwilioURL != "" {
				fix = "check FLEXFN_TWILIO_URL: is a fake or proxy of Twilio running there?"
			}
		case res.Status == http.StatusTooManyRequests || res.Status >= 500:
			fix = "the settings are not to blame: run it again later, and check Twilio's status page"
		case res.Status == http.StatusUnauthorized:
			admitted = false
			if res.TwilioErrorCode == 20005 {
				fix = "the account is suspended or closed: have Twilio's support activate it, or use another"
			}
		}
		r.say(failed, what, finding, fix)
	}
	account := func(client *twilioapi.Client) (string, error) {
		_, err := api.NewApiService(client).FetchAccount(config.AccountSID)
		return "Twilio accepts it", err
	}
	token := config
	token.APIKeySID, token.APIKeySecret = "", ""
	ask("auth token", "copy ACCOUNT_SID and AUTH_TOKEN again from the console, those of the region that is set", token, account)
	if config.APIKeySID != "" {
		// A standard key may not read the account.
		ask("API key", "make a new key in the console, in the region that is set", config, func(client *twilioapi.Client) (string, error) {
			_, err := api.NewApiService(client).ListIncomingPhoneNumber(nil)
			return "Twilio accepts it", err
		})
	}
	if config.WorkspaceSID != "" {
		ask("workspace", "set TWILIO_FLEX_WORKSPACE_SID to a workspace of this account", config, func(client *twilioapi.Client) (string, error) {
			_, err := taskrouter.NewApiService(client).FetchWorkspace(config.WorkspaceSID)
			return "it belongs to the account", err
		})
	}
	r.clock(clock, time.Now())
}

// clock compares this machine's clock with the Date header of an answer. A
// clock that is off makes tokens seem valid that have expired. A minute is a
// failure and five seconds a warning; part of the difference is the time that
// the answer took to arrive.
func (r *report) clock(date string, now time.Time) {
	const what = "clock"
	theirs, err := http.ParseTime(date)
	if err != nil {
		r.say(skipped, what, "Twilio's answer had no Date", "")
		return
	}
	off := now.Sub(theirs).Round(time.Second)
	switch {
	case off.Abs() > time.Minute:
		r.say(failed, what, fmt.Sprintf("it differs by %s from Twilio's: expired tokens may seem valid, and valid ones expired", off), "synchronise the machine's clock with NTP")
	case off.Abs() > 5*time.Second:
		r.say(warning, what, fmt.Sprintf("it differs by %s from Twilio's", off), "synchronise the machine's clock with NTP")
	default:
		r.say(fine, what, "agrees with Twilio's", "")
	}
}
