package twiliofake

import (
	"strings"
	"testing"
)

// TestLargeBodies checks that the log shows the beginning of a large page, whose
// links at the end have page tokens, and nothing of one that begins with a
// token.
func TestLargeBodies(t *testing.T) {
	filling := strings.Repeat("x", maxLogged)
	if got := maskBody([]byte(`{"items":"` + filling + `","next_page_url":"?PageToken=PA1"}`)); !strings.HasPrefix(got, `{"items":"xx`) || len(got) > maxLogged+len("…") {
		t.Errorf("the log has %d bytes of a page, beginning %.20s", len(got), got)
	}
	if got := maskBody([]byte(`{"auth_token":"a","items":"` + filling + `"}`)); got != masked {
		t.Errorf("the log has %.40s", got)
	}
}
