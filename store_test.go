package flexfn

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/flexfn/flexfn/internal/store"
)

// TestSecretOfTheStore: instances share entries if they have the same secret,
// which is StoreSecret or, if that is empty, the auth token.
func TestSecretOfTheStore(t *testing.T) {
	key := func(token, secret string) string {
		t.Helper()
		entries, err := newEntries(Config{AccountSID: testConfig().AccountSID, AuthToken: token, StoreSecret: secret, Store: store.NewMemory(1 << 20)}, slog.Default())
		if err != nil {
			t.Fatal(err)
		}
		return entries.Key("test", "a")
	}
	one, two := strings.Repeat("1", shortestSecret), strings.Repeat("2", shortestSecret)
	if key("a", one) != key("b", one) || key("a", one) == key("a", two) {
		t.Error("the keys depend on the auth token although there is a secret")
	}
	if none := key("a", ""); none != key("a", "") || none == key("b", "") {
		t.Error("without a secret the keys do not depend on the auth token")
	}
}
