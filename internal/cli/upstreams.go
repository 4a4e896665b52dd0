package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/goweir/weir/internal/admin"
	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/login"
	"github.com/goweir/weir/internal/config"
	"github.com/goweir/weir/internal/source/pool"
)

// How long a server may take to answer, and how often it is asked by --watch.
const (
	askTimeout = 10 * time.Second
	watchEvery = 2 * time.Second
)

func upstreamsCommand() *cobra.Command {
	var s settings
	var server string
	var watch, asJSON bool
	cmd := &cobra.Command{
		Use:   "upstreams",
		Short: "Show how the upstreams of a running server fare",
		Long: "Show how the upstreams of a running server fare: which are out of order and since when,\n" +
			"how fast they answer, how often they fail, and the last error. It ends with 1 when one\n" +
			"of them is out of order.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if server == "" {
				cfg, _, err := s.load(cmd.Context())
				if err != nil {
					return err
				}
				server = operationOf(cfg)
			}
			show := showUpstreams
			if asJSON {
				show = func(out io.Writer, u admin.Upstreams) error { return json.NewEncoder(out).Encode(u) }
			}
			for {
				u, err := askUpstreams(cmd.Context(), server)
				if err != nil {
					return err
				}
				if err := show(cmd.OutOrStdout(), u); err != nil {
					return err
				}
				if !watch {
					return broken(u)
				}
				select {
				case <-time.After(watchEvery):
				case <-cmd.Context().Done():
					return nil
				}
			}
		},
	}
	s.register(cmd.Flags())
	cmd.Flags().StringVar(&server, "server", "", "URL of the server (default: where weir serve would listen here)")
	cmd.Flags().BoolVar(&watch, "watch", false, "go on showing, every two seconds")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// operationOf is where a server with this configuration shows on this machine how
// it fares.
func operationOf(cfg *config.Config) string {
	listen, scheme := cfg.Listen, "http"
	if cfg.Admin.Listen != "" {
		listen = cfg.Admin.Listen
	}
	if cfg.TLS.CertFile != "" || len(cfg.TLS.ACMEHosts) > 0 {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil || host == "" || net.ParseIP(host).IsUnspecified() {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// askUpstreams asks a server how its upstreams fare.
func askUpstreams(ctx context.Context, server string) (admin.Upstreams, error) {
	var u admin.Upstreams
	base, err := url.Parse(server)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return u, usageError{errors.New("--server must be the URL of a server, such as http://localhost:3000")}
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base.JoinPath(admin.Prefix, "upstreams").String(), nil)
	if err != nil {
		return u, err
	}
	authorize(req, base)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return u, fmt.Errorf("no server answers at %s: %w; start one with \"weir serve\", or say where it is with --server", base.Redacted(), errors.Unwrap(err))
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized, http.StatusForbidden:
		return u, fmt.Errorf("%s answered %s; log in as one who may: weir login --keep-go-env %s", base.Redacted(), resp.Status, base.Redacted())
	default:
		return u, fmt.Errorf("%s answered %s; is it Weir, and is the URL without a path?", base.Redacted(), resp.Status)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 16<<20)).Decode(&u); err != nil {
		return u, fmt.Errorf("%s answered something that is not about upstreams: %w", base.Redacted(), err)
	}
	return u, nil
}

// authorize adds the token of "weir login" for a server, if there is one.
func authorize(req *http.Request, server *url.URL) {
	file, err := login.DefaultFile()
	if err != nil || server.Scheme != "https" {
		return
	}
	all, err := file.All()
	if err != nil {
		return
	}
	for _, l := range all {
		if origin(l.URL) == origin(server.String()) {
			req.Header.Set("Authorization", "Bearer "+l.Token)
		}
	}
}

// broken is an error if an upstream is out of order.
func broken(u admin.Upstreams) error {
	var names []string
	for _, s := range u.Upstreams {
		if s.State == pool.Broken || s.State == pool.Probing {
			names = append(names, s.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return fmt.Errorf("out of order: %s", strings.Join(names, ", "))
}

func showUpstreams(out io.Writer, u admin.Upstreams) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "UPSTREAM\tSTATE\tSINCE\tP50\tP95\tP99\tFAILING\tREQUESTS\tUNDER WAY\tLAST ERROR")
	for _, s := range u.Upstreams {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%.0f %%\t%d\t%d\t%s\n", s.Name, s.State, ago(s.Since),
			millis(s.Latency.P50), millis(s.Latency.P95), millis(s.Latency.P99), 100*s.ErrorRate, s.Requests, s.InFlight, lastError(s))
	}
	return t.Flush()
}

func ago(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return time.Since(t).Round(time.Second).String()
}

func millis(ms float64) string {
	if ms == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f ms", ms)
}

func lastError(s pool.Status) string {
	if s.LastError == "" {
		return "-"
	}
	return fmt.Sprintf("%s ago: %s", ago(s.LastErrorAt), artifact.Clean(s.LastError, 120))
}
