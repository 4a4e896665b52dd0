package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goweir/weir/internal/admin"
	"github.com/goweir/weir/internal/client/login"
)

func loginCommand() *cobra.Command {
	var only bool
	cmd := &cobra.Command{
		Use:   "login URL",
		Short: "Log in to a proxy, so that the go command can use it",
		Long: "Log in to a proxy: read a token from standard input, try it, keep it, and tell the go\n" +
			"command with \"go env -w\" to use it (GOAUTH) and the proxy (GOPROXY). Those who run the\n" +
			"proxy make tokens with \"weir token create\".",
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
			return tellGo(cmd, url)
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
			if err == nil && !was {
				err = fmt.Errorf("there is no login to %s", url)
			}
			return err
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
	body := io.LimitReader(resp.Body, maxSecret)
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(body)
		return me, fmt.Errorf("%s answered %s: %s", url, resp.Status, strings.TrimSpace(string(text)))
	}
	if err := json.NewDecoder(body).Decode(&me); err != nil || me.Name == "" {
		return me, fmt.Errorf("%s does not say whose token this is; is it a weir?", url)
	}
	return me, nil
}

// origin is the scheme and host of a URL.
func origin(url string) string {
	scheme, rest, _ := strings.Cut(url, "://")
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}

// tellGo has the go command use a proxy and its token.
func tellGo(cmd *cobra.Command, url string) error {
	auth, err := goEnv(cmd.Context(), "GOAUTH")
	if err != nil {
		return err
	}
	settings := []string{"GOPROXY=" + url}
	if !slices.Contains(strings.Split(auth, ";"), authHelper) {
		settings = append(settings, "GOAUTH="+strings.Trim(auth+";"+authHelper, ";"))
	}
	for _, setting := range settings {
		name, _, _ := strings.Cut(setting, "=")
		if os.Getenv(name) != "" {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s is set in the environment, which wins; set it there: %s\n", name, setting)
			continue
		}
		before, err := goEnv(cmd.Context(), name)
		if err != nil {
			return err
		}
		if out, err := exec.CommandContext(cmd.Context(), "go", "env", "-w", setting).CombinedOutput(); err != nil {
			return fmt.Errorf("go env -w %s: %w: %s", setting, err, strings.TrimSpace(string(out)))
		}
		fmt.Fprintf(cmd.OutOrStdout(), "go env -w %s   (was %s)\n", setting, before)
	}
	return nil
}

// authHelper is this program in GOAUTH.
const authHelper = "weir auth"

func goEnv(ctx context.Context, name string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", name).Output()
	if err != nil {
		return "", fmt.Errorf("go env %s: %w", name, err)
	}
	return strings.TrimSpace(string(out)), nil
}
