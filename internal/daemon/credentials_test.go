package daemon_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/goweir/weir/internal/modtest"
)

// gitHub makes tokens of Apps where a forge has its API.
func gitHub(t *testing.T, f *modtest.Forge, token string) (key string) {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	f.Handle("api.example.com", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"token": %q, "expires_at": %q}`, token, time.Now().Add(time.Hour).Format(time.RFC3339))
	}))
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)}))
}

const appYAML = "credentials: {app: {url: 'https://git.example.com/our', github_app: 1, github_installation: 2, github_key_file: FOLDER/key, github_api: 'https://api.example.com'}}\n"

// api.example.com is known to the HTTP proxy alone.
func TestTokensOfAppsAreFetchedThroughTheHTTPProxy(t *testing.T) {
	f := newForge(t)
	key := gitHub(t, f, "ghs_canary")
	f.Require("git.example.com", "x-access-token", "ghs_canary")
	probe(t, f, appYAML, map[string]string{"key": key}).want(t, "app https://git.example.com/our", "accepted")
	f.Require("git.example.com", "x-access-token", "another")
	probe(t, f, appYAML, map[string]string{"key": key}).want(t, "app https://git.example.com/our", "refused")
}
