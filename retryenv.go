package flexfn

import (
	"fmt"
	"strconv"
	"strings"
)

// maxEnvCount bounds the whole numbers of the retry variables: a day in
// milliseconds.
const maxEnvCount = 24 * 60 * 60 * 1000

// addRetry reads a whole number and adds the option made from it to c.
func addRetry(c *Config, v, unit string, option func(int) RetryOption) error {
	n, err := strconv.Atoi(strings.TrimSpace(v))
	if err != nil || n < 0 || n > maxEnvCount {
		return fmt.Errorf("%q is not a number of %s: write a whole number from 0 to %d, or unset it", v, unit, maxEnvCount)
	}
	c.Retry = append(c.Retry, option(n))
	return nil
}

// parseBudget reads FLEXFN_RETRY_BUDGET. It refuses zero, which would read as
// "no retries" but means the default in [Config].
func parseBudget(v string) (int, error) {
	if v == "off" {
		return -1, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > maxEnvCount {
		return 0, fmt.Errorf("%q is not a number of retries: write a whole number from 1 to %d, or off", v, maxEnvCount)
	}
	return n, nil
}

// parseSwitch reads a boolean as [strconv.ParseBool] does.
func parseSwitch(v string) (bool, error) {
	on, err := strconv.ParseBool(v)
	if err != nil {
		return false, fmt.Errorf("%q is neither true nor false", v)
	}
	return on, nil
}
