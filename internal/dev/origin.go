package dev

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/flexfn/flexfn/internal/sameorigin"
)

// flexOrigin is where Twilio serves the Flex UI.
const flexOrigin = "https://flex.twilio.com"

// ownHost reports whether host is the one in --addr, as the developer wrote it.
func (s *Server) ownHost(host string) bool {
	own, err := url.Parse(s.o.Base)
	return err == nil && host == own.Hostname()
}

// guard refuses requests that a stranger's page could make a browser send to
// the functions, since the development tokens are public. Pages of this
// machine, the Flex UI and the configured origins may call.
//
// The danger is a page that the developer visits while flexfn dev runs: its
// scripts could call functions with a development token and, with --live, act
// on the real account. Host is checked because of DNS rebinding, Origin because
// of scripts, Sec-Fetch-Site because of forms and images, which send no Origin
// with a GET. Twilio and command lines send none of the last two.
func (s *Server) guard(r *http.Request) error {
	err := sameorigin.CheckHost(r.Host, func(host string) bool {
		public, err := url.Parse(s.o.PublicURL)
		return s.ownHost(host) || err == nil && host != "" && host == public.Hostname()
	})
	if err != nil {
		return fmt.Errorf("%w, or set PUBLIC_URL to the address of your tunnel", err)
	}
	switch origin := r.Header.Get("Origin"); {
	case origin != "":
		own := "http://" + r.Host
		if !sameorigin.IsLoopback(origin) && origin != flexOrigin && origin != own && !slices.Contains(s.o.Origins, origin) {
			return fmt.Errorf("pages of %.100q may not call: if they are yours, add the origin to FLEXFN_ALLOWED_ORIGINS", origin)
		}
	case r.Header.Get("Sec-Fetch-Site") == "cross-site":
		return errors.New("a page of another origin made this request: only its scripts may call, and only if its origin is allowed")
	}
	return nil
}
