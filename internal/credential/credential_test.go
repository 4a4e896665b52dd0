package credential

import (
	"strings"
	"testing"
)

func TestA17TextsAreRedacted(t *testing.T) {
	for _, text := range []string{
		"https://user:p%20w%2F@host/x", "https://p w/@host/x", "password p w/ is wrong", "token=p+w%2F", "p%20w%2F",
	} {
		got := redact(text, []string{"p w/"})
		if strings.Contains(got, "w/ ") || strings.Contains(got, "w%2F") || strings.Contains(got, "p w") || strings.Contains(got, "user") {
			t.Errorf("%q becomes %q", text, got)
		}
	}
}

// FuzzRedact looks for texts that keep a secret.
func FuzzRedact(f *testing.F) {
	f.Add("https://u:s3cret@h/x", "s3cret")
	f.Fuzz(func(t *testing.T, text, secret string) {
		if len(secret) < 6 || strings.Contains("xxxxx//", secret) {
			return
		}
		if got := redact(text, []string{secret}); strings.Contains(got, secret) && !strings.Contains(secret, "x") {
			t.Fatalf("%q keeps %q: %q", text, secret, got)
		}
	})
}
