package link

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/flexfn/flexfn/internal/recorder"
)

// DescribeVariable makes the program print the document of its functions and
// end. Its value is the document's query; see [Document].
const DescribeVariable = "FLEXFN_DESCRIBE"

// DocumentPath is where an app answers a tool with the OpenAPI document of its
// functions.
const DocumentPath = "/__flexfn/openapi.json"

type asksItselfKey struct{}

// AsksItself reports whether ctx belongs to a request that the program made to
// itself, through [Document] without a key. Clients cannot make such a request.
func AsksItself(ctx context.Context) bool { return ctx.Value(asksItselfKey{}) != nil }

// Document asks an app for its OpenAPI document. handler is the app, or a proxy
// to it. key is the one that an app in another process was started with; it is
// empty for an app in this process. query may have title, version, server and
// trim.
func Document(ctx context.Context, handler http.Handler, key string, query url.Values) ([]byte, error) {
	if key == "" {
		ctx = context.WithValue(ctx, asksItselfKey{}, true)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+DocumentPath+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	r.RequestURI, r.RemoteAddr = r.URL.RequestURI(), "127.0.0.1:0"
	r.Header.Set(KeyHeader, key)
	var w recorder.Writer
	handler.ServeHTTP(&w, r)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var said struct{ OpenAPI, Message string }
	if err := json.Unmarshal(w.Body.Bytes(), &said); err == nil && w.Status() == http.StatusInternalServerError {
		return nil, fmt.Errorf("the program cannot describe its functions: %s", said.Message)
	} else if err != nil || w.Status() != http.StatusOK || said.OpenAPI == "" {
		return nil, fmt.Errorf("the program does not say which functions it has (it answered %d): configure its App with flexfn.FromEnv, and let it answer on every path", w.Status())
	}
	return w.Body.Bytes(), nil
}
