package flexfn

import (
	"log/slog"
	"net/http"
)

// App runs functions: it is the http.Handler that answers for them, and holds
// what they share. Make one with [New]. It is safe for concurrent use.
type App struct {
	config Config
	log    *slog.Logger
	client *http.Client
	retry  *retryPolicy
	turns  turns
}

// New makes an App. The error joins everything that is wrong with config.
func New(config Config) (*App, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	a := &App{config: config, log: config.Logger}
	a.client, a.retry = newHTTPClient(config), newRetryPolicy(config)
	return a, nil
}

// Config returns what the app was made from, defaults filled in. It holds
// secrets.
func (a *App) Config() Config { return a.config }

// Function describes what [PrepareFlexFunction] and [PrepareStudioFunction]
// made.
type Function struct{}

// Owner is whom a Flex token belongs to.
type Owner struct{}
func checkOrigins([]string) []error { return nil }
