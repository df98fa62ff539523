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

// Healthcheck asks the program that serves with the same config on this
// machine whether it is well, for three seconds at most. It returns nil when
// it is.
func Healthcheck(ctx context.Context, config Config) error {
	config, err := config.withDefaults()
	if err != nil {
		return err
	}
	if config.Platform == Lambda {
		return fmt.Errorf("AWS Lambda has no health check: the platform looks after the process")
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	network, address := "tcp", config.Listen
	if path, ok := strings.CutPrefix(config.Listen, "unix:"); ok {
		network, address = "unix", path
	} else if host, port, _ := net.SplitHostPort(address); host == "" || net.ParseIP(host).IsUnspecified() {
		address = net.JoinHostPort("localhost", port)
	}
	scheme := "http"
	if config.TLSCertFile != "" {
		scheme = "https"
	}
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
		// It asks itself; the certificate names the public host.
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		DisableKeepAlives: true,
	}}
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
