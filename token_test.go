package flexfn

import (
	"testing"
	"time"
)

// TestVerdictAge: a verdict's age is the larger of the two clocks' readings. The
// wall clock can be set back, and the monotonic clock stops in a freeze.
func TestVerdictAge(t *testing.T) {
	now := time.Now()
	for name, v := range map[string]tokenVerdict{
		"set back by an hour": {asked: now.Add(-time.Minute), askedByWall: now.Round(0).Add(time.Hour)},
		"frozen for a minute": {asked: now, askedByWall: now.Round(0).Add(-time.Minute)},
		"neither":             {asked: now.Add(-time.Minute), askedByWall: now.Round(0).Add(-time.Minute)},
	} {
		if age := v.age(); age < time.Minute || age > 2*time.Minute {
			t.Errorf("%s: %s", name, age)
		}
	}
}
