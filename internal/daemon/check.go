package daemon

import (
	"errors"
	"fmt"

	"github.com/goweir/weir/internal/certificate"
	"github.com/goweir/weir/internal/config"
	"github.com/goweir/weir/internal/egress"
)

// Check says what would keep a server with a configuration from starting besides
// what config.Load finds: files that are missing or damaged, rules that contradict
// themselves. It opens no connection.
func Check(cfg *config.Config) error {
	rules, err := newRules(cfg, nil, nil)
	if err == nil {
		rules.auth.Close()
	}
	_, credentialsErr := newCredentials(cfg)
	_, guardErr := egress.NewGuard(cfg.Direct.AllowHosts)
	if guardErr != nil {
		guardErr = fmt.Errorf("direct.allow_hosts: %w", guardErr)
	}
	return errors.Join(err, credentialsErr, guardErr, checkCertificates(cfg))
}

// Warnings say what a server with a configuration would not do on this machine, though
// it would start.
func Warnings(cfg *config.Config) []string {
	if why := missing(cfg); why != "" && needsDirect(cfg) {
		return []string{cannotFetchPrivate(why)}
	}
	return nil
}

func cannotFetchPrivate(why string) string {
	return "private modules cannot be fetched from version control: " + why + "; install it and start the server again"
}

func checkCertificates(cfg *config.Config) error {
	if cfg.TLS.CertFile == "" {
		return nil
	}
	_, err := certificate.LoadFiles(certificate.Paths{
		Pairs: []certificate.Pair{{Certificate: cfg.TLS.CertFile, Key: cfg.TLS.KeyFile}}, ClientCAs: cfg.TLS.ClientCAFile,
	})
	return err
}
