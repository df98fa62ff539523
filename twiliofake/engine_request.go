package twiliofake

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	pathpkg "path"
	"strings"
)

// The steps before a request is carried out: who calls, what the path
// addresses, and the parameters.

// authenticate checks the credentials: an account SID and auth token, or the
// SID and secret of an API key. An empty password never matches; otherwise an
// account without auth_token in a state document would be open to everyone.
func (c *call) authenticate(r *http.Request) *apiError {
	user, password, _ := r.BasicAuth()
	accounts := c.store.accounts()
	if acc := accounts.find(user, nil); acc != nil && password != "" && acc.text("auth_token") == password {
		if acc.text("status") != "active" {
			return refuse(http.StatusUnauthorized, 20005, "Account not active")
		}
		c.account = acc
		return nil
	}
	for acc := range accounts.all() {
		if key := acc.child(keysPath).find(user, nil); key != nil && password != "" && key.text("_secret") == password {
			c.account, c.apiKey = acc, true
			return nil
		}
	}
	return refuse(http.StatusUnauthorized, 20003, "Authenticate")
}

// keysPath is the path of an account's API keys.
const keysPath = "api/Keys"

// route finds the path's node, and the row or operation for the method. The
// escaped path is split, and its segments decoded afterwards, since an identity
// such as a Sync key may contain a slash (%2F). Paths of the API of 2010 end in
// .json; without it Twilio answers in XML, which the fake cannot. Any other
// extension asks for a media file.
func (c *call) route(top *node, u *url.URL) *apiError {
	path := segments(u.EscapedPath())
	for i := range path {
		if !strings.Contains(path[i], "%") {
			continue
		}
		if s, err := url.PathUnescape(path[i]); err == nil {
			path[i] = strings.ToValidUTF8(s, "\uFFFD")
		}
	}
	last := len(path) - 1
	var extension bool
	if c.node = top.match(path); c.node == nil || top.product == "api" {
		if path[last], extension = strings.CutSuffix(path[last], ".json"); extension {
			c.node = top.match(path)
		}
	}
	if ext := pathpkg.Ext(path[last]); !extension && c.method == http.MethodGet && top.product == "api" {
		path[last] = strings.TrimSuffix(path[last], ext)
		if n := top.match(path); n != nil && n.item && n.kind.row != nil && n.kind.row.media != nil {
			c.node, c.extension, extension = n, &ext, true
		} else {
			path[last] += ext
		}
	}
	if c.node == nil {
		if c.strict {
			return unmodelled("%s %s on %s.twilio.com", c.method, c.path, top.product)
		}
		return notFound(c.path)
	}
	if top.product == "api" && !extension {
		return unmodelled("XML; append .json to the path")
	}
	c.op = c.node.op(c.method)
	if c.node.rowVerb(c.method) != 0 {
		c.resource = c.node.kind.row
	} else if c.op == nil {
		if c.strict {
			return unmodelled("%s %s on %s.twilio.com", c.method, c.path, top.product)
		}
		return refuse(http.StatusMethodNotAllowed, 20004, "Method %s is not allowed on %s", c.method, c.path)
	}
	clear(c.vars)
	for i, w := range c.node.wilds {
		c.vars[c.node.vars[i]] = path[w.depth-1]
	}
	if sid, ok := c.vars["account_sid"]; ok && c.resource != nil {
		return c.enter(sid)
	}
	if c.product == "api" && c.node.depth > 2 && !c.root {
		return c.enter(path[2])
	}
	return nil
}

// enter switches the request to the account in the path: the authenticated
// account or one of its sub-accounts. Any other account is 404, as if it did
// not exist.
func (c *call) enter(sid string) *apiError {
	if sid == c.account.id {
		return nil
	}
	sub := c.store.accounts().find(sid, nil)
	if sub == nil || !c.owns(sub) {
		return notFound(c.path)
	}
	c.account = sub
	return nil
}

// owns reports whether acc is the request's account or a sub-account of it.
func (c *call) owns(acc *record) bool {
	return acc == c.account || acc.text("owner_account_sid") == c.account.id
}

// parseForm reads the parameters in the body, which a GET does not have. For
// JSON operations the body is read by merge or by jsonParameters.
func (c *call) parseForm() *apiError {
	if c.method == http.MethodGet || c.resource != nil && c.json || c.op != nil && !c.op.body.none() {
		return nil
	}
	kind, params, _ := mime.ParseMediaType(c.header.Get("Content-Type"))
	var form url.Values
	var err error
	switch kind {
	case "application/x-www-form-urlencoded":
		form, err = url.ParseQuery(string(c.body))
	case "multipart/form-data":
		form, err = readParts(c.body, params["boundary"])
	default:
		return nil // Twilio sees no parameters either
	}
	if err != nil {
		return invalid("The body is not a form: %v", err)
	}
	// Replace invalid UTF-8 with U+FFFD: it cannot be sent as JSON.
	for _, values := range form {
		for i, v := range values {
			values[i] = strings.ToValidUTF8(v, "\uFFFD")
		}
	}
	c.form = form
	return nil
}

// readParts reads the fields and files of a multipart form. A file is stored as
// a string like any other value; its name and type are dropped.
func readParts(body []byte, boundary string) (url.Values, error) {
	form := url.Values{}
	for parts := multipart.NewReader(bytes.NewReader(body), boundary); ; {
		part, err := parts.NextPart()
		if err == io.EOF {
			return form, nil
		}
		if err != nil {
			return nil, err
		}
		b, err := io.ReadAll(part)
		if err != nil {
			return nil, err
		}
		form.Add(part.FormName(), string(b))
	}
}

// resolve finds the items above the one requested, by SID or alias, and replaces
// aliases by SIDs.
//
// If no operation could have created the item above, a ghost takes its place:
// it is kept if the request changes something, and dropped if it only reads.
// Everything else that is missing is 404.
func (c *call) resolve() *apiError {
	c.parent = c.account
	if c.root {
		c.parent = c.store.root
	}
	for i, w := range c.wilds[:len(c.keys)-1] {
		id := c.vars[c.node.vars[i]]
		rec := c.scoped(w.self, c.parent, c.keys[i]).find(id, w.self.alias)
		if rec == nil && c.resource != nil && c.founding && c.method == http.MethodPost && !c.item {
			c.parent = nil
			return nil
		}
		if rec == nil {
			if !w.ghost {
				return notFound(c.path)
			}
			rec = c.store.record(w.self, c.parent, id)
			if c.method != http.MethodGet {
				c.store.ghost(rec)
			}
		}
		c.vars[c.node.vars[i]] = rec.id
		c.parent = rec
	}
	return nil
}
