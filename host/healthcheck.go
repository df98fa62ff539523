package host

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// Healthcheck asks the program that serves with the same config on this machine
// whether it is healthy. It returns nil if so, and otherwise the reason, after
// at most 3 s. Use it on platforms that run a command as the health check.
//
// A program run with the argument -healthcheck calls it; see [Main]. In a
// Dockerfile:
//
//	HEALTHCHECK CMD ["/app", "-healthcheck"]
//
// It asks [HealthPath], so a program that is not ready is healthy. Over TLS it
// does not check the certificate, which names the public host. On [Lambda] it
// fails, since the platform looks after the process.
//
// It connects to config.Listen, also where the program serves config.Listener.
// If that names no host, it tries this machine's IPv4 address and then the IPv6
// one. An invalid config is an error, as for [Serve].
func Healthcheck(ctx context.Context, config Config) error {
	config, err := config.withDefaults()
	if err != nil {
		return err
	}
	if config.row.serve != nil {
		return fmt.Errorf("%s has no health check: the platform looks after the process", config.Platform)
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	// On Fn too: [HealthPath] is answered before requests are unwrapped.
	network, addresses := "tcp", []string{config.Listen}
	if path, ok := strings.CutPrefix(config.Listen, "unix:"); ok {
		network, addresses[0] = "unix", path
	} else if host, port, _ := net.SplitHostPort(config.Listen); host == "" || net.ParseIP(host).IsUnspecified() {
		// Use addresses: an empty image cannot resolve localhost.
		addresses = []string{net.JoinHostPort("127.0.0.1", port), net.JoinHostPort("::1", port)}
	}
	scheme := "http"
	if config.TLSCertFile != "" {
		scheme = "https"
	}
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (conn net.Conn, err error) {
			for _, address := range addresses {
				if conn, err = new(net.Dialer).DialContext(ctx, network, address); err == nil {
					break
				}
			}
			return conn, err
		},
		// It connects to itself; the certificate names the public host.
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		DisableKeepAlives: true,
	}}
	// The host only fills the Host header; DialContext decides where to
	// connect.
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://localhost"+HealthPath, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("not healthy: nothing answers on %s: %w", config.Listen, err)
	}
	if err := resp.Body.Close(); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("not healthy: %s answers %s on %s", config.Listen, resp.Status, HealthPath)
	}
	return nil
}
