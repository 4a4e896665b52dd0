package cli

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goweir/weir/internal/admin"
	"github.com/goweir/weir/internal/client/gocmd"
	"github.com/goweir/weir/internal/client/govars"
	"github.com/goweir/weir/internal/client/login"
	"github.com/goweir/weir/internal/goenv"
)

func loginCommand() *cobra.Command {
	var only bool
	cmd := &cobra.Command{
		Use:   "login URL",
		Short: "Log in to a proxy, so that the go command can use it",
		Long: "Log in to a proxy: read a token from standard input, try it, keep it, and tell the go\n" +
			"command with \"go env -w\" to use it (GOAUTH) and the proxy (GOPROXY), for the proxy's\n" +
			"private modules, too (GONOPROXY), of which no checksum database hears (GONOSUMDB). Those\n" +
			"who run the proxy make tokens with \"weir token create\".",
		Args: exactly("the URL of a proxy"),
		RunE: func(cmd *cobra.Command, args []string) error {
			url, err := login.ParseURL(args[0])
			if err != nil {
				return usageError{err}
			}
			token, err := readSecret(cmd, "token for "+url)
			if err != nil {
				return err
			}
			me, err := whoami(cmd.Context(), url, token)
			if err != nil {
				return err
			}
			file, err := login.DefaultFile()
			if err != nil {
				return err
			}
			if err := file.Put(login.Login{URL: url, Token: token}); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "logged in to %s as %s\n", url, me.Name)
			if only {
				return nil
			}
			return tellGo(cmd, url, me.Names)
		},
	}
	cmd.Flags().BoolVar(&only, "keep-go-env", false, "leave the settings of the go command as they are")
	return cmd
}

func logoutCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "logout URL",
		Short: "Forget the token for a proxy",
		Args:  exactly("the URL of a proxy"),
		RunE: func(cmd *cobra.Command, args []string) error {
			url, err := login.ParseURL(args[0])
			if err != nil {
				return usageError{err}
			}
			file, err := login.DefaultFile()
			if err != nil {
				return err
			}
			was, err := file.Remove(url)
			switch {
			case err != nil:
				return err
			case !was:
				return fmt.Errorf("there is no login to %s", url)
			}
			if _, set := goenv.Load(os.Getenv).InUserFile()["GONOPROXY"]; set {
				fmt.Fprintln(cmd.ErrOrStderr(), "GONOPROXY stays as it is; before the go command uses another proxy, so that it does not hear of what GOPRIVATE names: go env -u GONOPROXY")
			}
			return nil
		},
	}
}

// authCommand is what GOAUTH names. The go command runs it without arguments, and
// again, with a URL and an answer to read, if it was refused: then there is
// nothing better to offer.
func authCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "auth [URL]",
		Short: "Hand the go command its tokens (for GOAUTH)",
		Long: "Hand the go command the tokens of \"weir login\". It is run by the go command:\n" +
			"go env -w GOAUTH='netrc;weir auth'",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return nil
			}
			file, err := login.DefaultFile()
			if err != nil {
				return err
			}
			all, err := file.All()
			if err != nil {
				return err
			}
			return login.Help(cmd.OutOrStdout(), all)
		},
	}
}

// exactly refuses a wrong number of arguments.
func exactly(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usageError{fmt.Errorf("%s wants %s\nsee: %s --help", cmd.CommandPath(), what, cmd.CommandPath())}
		}
		return nil
	}
}

// maxSecret bounds what is read as a secret, in bytes.
const maxSecret = 16 << 10

// readSecret reads one line from standard input, so that no secret is on a command
// line.
func readSecret(cmd *cobra.Command, what string) (string, error) {
	if isTerminal(cmd.InOrStdin()) {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s (it shows while you type; better pipe it in): ", what)
	}
	line, err := bufio.NewReader(io.LimitReader(cmd.InOrStdin(), maxSecret)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if line = strings.TrimSpace(line); line == "" {
		return "", usageError{fmt.Errorf("no %s came from standard input", what)}
	}
	return line, nil
}

func isTerminal(r io.Reader) bool {
	file, ok := r.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// maxMe bounds what a proxy says of its client and of private modules, in bytes.
const maxMe = 1 << 20

// whoami asks a proxy whom it takes the holder of a token for.
func whoami(ctx context.Context, url, token string) (me admin.Me, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, origin(url)+admin.WhoAmI, nil)
	if err != nil {
		return me, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return me, fmt.Errorf("%s cannot be reached: %w", url, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxMe))
	if err != nil {
		return me, fmt.Errorf("%s broke off its answer: %w", url, err)
	}
	ok, said := resp.StatusCode == http.StatusOK, strings.TrimSpace(string(text))
	switch {
	case !ok && strings.HasPrefix(said, "weir: "):
		return me, fmt.Errorf("%s answered %s: %s", url, resp.Status, said)
	case !ok || json.Unmarshal(text, &me) != nil:
		return me, fmt.Errorf("%s answered %s to %s, and not as a weir does; look whether the URL is right, and have those who run it look whether something before it, such as a TLS proxy, keeps that path back", url, resp.Status, admin.WhoAmI)
	case me.Name == "":
		return me, fmt.Errorf("%s does not say whose token this is: it is no weir, or one that asks nobody who they are", url)
	}
	return me, nil
}

// origin is the scheme and host of a URL.
func origin(url string) string {
	scheme, rest, _ := strings.Cut(url, "://")
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}

// tellGo has the go command get all modules of a proxy from it, with its token.
func tellGo(cmd *cobra.Command, url string, names admin.Names) error {
	command, err := authHelper()
	if err != nil {
		return err
	}
	env := goenv.Load(os.Getenv)
	if err := env.Ask(cmd.Context(), login.Variables...); err != nil {
		return err
	}
	plan := login.NewPlan(login.Proxy{URL: url, Private: names.Private, NoSumdb: names.NoSumdb}, command, env.Value)
	if err := carryOut(cmd, env, plan.Settings); err != nil {
		return err
	}
	if len(plan.Refused) > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "the proxy would have no checksum database asked for %s, which takes in what is public, or is no pattern: left out of GONOSUMDB and GONOPROXY\n", quoted(plan.Refused))
	}
	if len(plan.Around) > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "the go command still fetches %s itself, around the proxy, as GONOPROXY or GOPRIVATE says; if the proxy has that, too: go env -w GONOPROXY=none\n", quoted(plan.Around))
	}
	return nil
}

// quoted are patterns, fit to be shown.
func quoted(patterns []string) string {
	all := make([]string, len(patterns))
	for i, p := range patterns {
		all[i] = strconv.Quote(p)
	}
	return strings.Join(all, ", ")
}

// carryOut has the go command keep settings, and says what they were. Those that the
// environment hides are for the user to change.
func carryOut(cmd *cobra.Command, env *goenv.Env, settings []login.Setting) error {
	args, done := []string{"env", "-w"}, ""
	for _, s := range settings {
		now := govars.Redact(s.Name, s.Value)
		if env.Getenv(s.Name) != "" {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s is set in the environment, which wins; set it there: %s=%s\n", s.Name, s.Name, now)
			continue
		}
		args = append(args, s.Name+"="+s.Value)
		was := cmp.Or(govars.Redact(s.Name, env.Value(s.Name)), "not set")
		done += fmt.Sprintf("go env -w %s=%s   (was %s)\n", s.Name, now, was)
	}
	if done == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), askTimeout)
	defer cancel()
	// No other toolchain is downloaded for this, least of all from this proxy.
	_, err := gocmd.Command{Env: []string{"GOTOOLCHAIN=local"}}.Run(ctx, args...)
	if failed, ok := errors.AsType[*gocmd.Error](err); ok {
		return fmt.Errorf("go env -w: %s", govars.Redact("", strings.TrimSpace(failed.Stderr)))
	}
	if err != nil {
		return err
	}
	_, err = io.WriteString(cmd.OutOrStdout(), done)
	return err
}

// authHelper is this program in GOAUTH: by its name, where that finds it.
func authHelper() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	if found, err := exec.LookPath("weir"); err == nil && sameFile(found, self) {
		return "weir auth", nil
	}
	return login.Command(self)
}

func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}
