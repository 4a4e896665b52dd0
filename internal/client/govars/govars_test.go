package govars

import (
	"os/exec"
	"strings"
	"testing"
)

func TestCheckTakesWhatTheGoCommandTakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, value string }{
		{"GOPROXY", "https://proxy.example.com"},
		{"GOPROXY", "proxy.example.com/go|https://b.example.com,direct"},
		{"GOPROXY", "off"},
		{"GOPROXY", "file:///srv/modules"},
		{"GOPRIVATE", ""},
		{"GOPRIVATE", "*.corp.example.com,git.example.com/[a-c]?"},
		{"GONOPROXY", "none"},
		{"GOSUMDB", "off"},
		{"GOSUMDB", "sum.golang.org https://sum.example.com"},
		{"GOVCS", ""},
		{"GOVCS", "github.com:git, evil.example.com:off ,*:git|hg"},
		{"GOAUTH", "off"},
		{"GOAUTH", "netrc;weir auth; git /home/me/src"},
		{"GOAUTH", `git C:\src`},
		{"GOTOOLCHAIN", "auto"},
		{"GOTOOLCHAIN", "local+path"},
		{"GOTOOLCHAIN", "go1.26.1-corp+auto"},
		{"GOTOOLCHAIN", "go1.27rc1"},
		{"GOFLAGS", "-mod=mod '-ldflags=-X main.v=a b' --trimpath"},
	} {
		if err := Check(c.name, c.value); err != nil {
			t.Errorf("%s=%s: %v", c.name, c.value, err)
		}
	}
}

func TestCheckSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, value, want string }{
		{"GOPROXXY", "x", "did you mean GOPROXY?"},
		{"GONOSUMDBS", "x", "did you mean GONOSUMDB?"},
		{"HOME", "/", "the variables are GOPROXY, "},
		{"GOPROXY", "", "is empty"},
		{"GOPROXY", ", ,", "no entries"},
		{"GOPROXY", "ftp://a.example.com", "must be https"},
		{"GOPROXY", "dirct", "neither a URL nor direct"},
		{"GOPROXY", "https://me:s3cr3t@a.example.com", "netrc"},
		{"GOPROXY", "https://a.example.com|me:s3cr3t@b.example.com", "netrc"},
		{"GOPROXY", "direct,https://me:s3cr3t/x@a.example.com", "netrc"},
		{"GOPROXY", "https://a.example.com\n", "line break"},
		{"GOPROXY", "https://a.example.com/" + strings.Repeat("a", maxValue), "longer"},
		{"GOPRIVATE", "a.example.com, b.example.com", `beside "b.example.com"`},
		{"GOPRIVATE", "https://git.example.com", "is a URL"},
		{"GOPRIVATE", "https://s3cr3t@git.example.com", "netrc"},
		{"GOPRIVATE", "git.example.com/...", `"git.example.com" matches all`},
		{"GOINSECURE", "[a", "bracket"},
		{"GOSUMDB", "", "is empty"},
		{"GOSUMDB", "sum.example.com", "name+hash+key"},
		{"GOSUMDB", "sum.golang.org https://me:s3cr3t@a.example.com", "netrc"},
		{"GOSUMDB", "sum.golang.org a b", "too many"},
		{"GOVCS", "git", "PATTERN:VCS"},
		{"GOVCS", "a:git,,b:git", "PATTERN:VCS"},
		{"GOVCS", "a:gti", `"gti" is no version control`},
		{"GOVCS", "a:git,a:hg", "never counts"},
		{"GOVCS", "./a:git", "relative"},
		{"GOAUTH", "", "is empty"},
		{"GOAUTH", "netrc;;weir auth", "empty command"},
		{"GOAUTH", "off;netrc", "stands alone"},
		{"GOAUTH", "git src", "absolute path"},
		{"GOAUTH", "helper https://me:s3cr3t@a.example.com", "netrc"},
		{"GOTOOLCHAIN", "", "is empty"},
		{"GOTOOLCHAIN", "1.26", "is not a toolchain"},
		{"GOTOOLCHAIN", "go1.26+never", "may follow"},
		{"GOTOOLCHAIN", "auto+auto", "is not a toolchain"},
		{"GOFLAGS", "mod", "is not a flag"},
		{"GOFLAGS", "-a ---b", "is not a flag"},
		{"GOFLAGS", "'-a", "not closed"},
	} {
		err := Check(c.name, c.value)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s=%.80s: the error is %v, want one about %q", c.name, c.value, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: the error shows a secret: %v", c.name, err)
		}
	}
}

// What the go command refuses of GOVCS, GOAUTH, GOTOOLCHAIN and GOFLAGS when it needs
// them is refused here, and nothing else is.
func TestTheGoCommandAgrees(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, value string }{
		{"GOTOOLCHAIN", "local"},
		{"GOTOOLCHAIN", "local+auto"},
		{"GOTOOLCHAIN", "local+never"},
		{"GOTOOLCHAIN", "sometimes"},
		{"GOTOOLCHAIN", "go1.x+auto"},
		{"GOFLAGS", "-mod=mod -v"},
		{"GOFLAGS", "'-tags=a b'"},
		{"GOFLAGS", "mod=mod"},
		{"GOFLAGS", "-"},
		{"GOFLAGS", "-=x"},
		{"GOFLAGS", `"-v`},
	} {
		cmd := exec.CommandContext(t.Context(), "go", "version")
		cmd.Env = append(cmd.Environ(), c.name+"="+c.value, "GOENV=off", "GOPROXY=off")
		out, goErr := cmd.CombinedOutput()
		if err := Check(c.name, c.value); (err == nil) != (goErr == nil) {
			t.Errorf("%s=%s: here %v, the go command says %s", c.name, c.value, err, out)
		}
	}
}

func TestRedactLeavesNoSecrets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, value, want string }{
		{"GOPROXY", "https://a.example.com|https://b.example.com/@v,direct", "https://xxxxx@v,direct"},
		{"GOPROXY", "https://me:pw@a.example.com,https://b.example.com", "https://xxxxx@a.example.com,https://b.example.com"},
		{"GOPROXY", "https://me:p@w/,|@a.example.com,direct", "https://xxxxx@a.example.com,direct"},
		{"GOPROXY", "me:pw@a.example.com,direct", "xxxxx@a.example.com,direct"},
		{"GOPROXY", "me:pw@a.example.com,https://me@b.example.com", "xxxxx@b.example.com"},
		{"GOPROXY", "https://a.example.com/?token=pw|direct", "https://a.example.com/?xxxxx|direct"},
		{"GOPROXY", "https://a.example.com/#pw,https://b.example.com", "https://a.example.com/#xxxxx,https://b.example.com"},
		{"GOPROXY", "a.example.com/?token=pw", "a.example.com/?xxxxx"},
		{"GOPROXY", "https://a.example.com/?from=b://pw,direct", "https://a.example.com/?xxxxx,direct"},
		{"GOSUMDB", "sum.golang.org https://me:pw@a.example.com", "sum.golang.org https://xxxxx@a.example.com"},
		{"GOSUMDB", "sum.golang.org a.example.com/?token=pw", "sum.golang.org a.example.com/?xxxxx"},
		{"HTTP_PROXY", "me:pw@a.example.com:8080/?token=pw", "xxxxx@a.example.com:8080/?xxxxx"},
		{"HTTP_PROXY", "http://a.example.com:8080/?token=p,w|x://y", "http://a.example.com:8080/?xxxxx"},
		{"HTTPS_PROXY", "a.example.com:8080/?token=p,w", "a.example.com:8080/?xxxxx"},
		{"GOSUMDB", "sum.golang.org https://a.example.com/?token=p|w", "sum.golang.org https://a.example.com/?xxxxx"},
		{"GOAUTH", "netrc;git /src;weir auth;'/my programs/weir' auth;helper --token=pw x;weir auth pw", "netrc;git /src;weir auth;'/my programs/weir' auth;helper …;weir …"},
		{"GOAUTH", "git https://me:pw@git.example.com;git --token=pw /src;git", "git …;git …;git"},
		{"GOAUTH", "me:pw@a.example.com;me:pw@a.example.com x;git /https://me:pw@a.example.com", "xxxxx@a.example.com"},
		{"GOAUTH", "https://a.example.com?token=pw;netrc", "https://a.example.com?xxxxx;netrc"},
		{"GOAUTH", "me:p;w@a.example.com", "xxxxx@a.example.com"},
		{"GOPRIVATE", "git?.example.com,b.example.com", "git?.example.com,b.example.com"},
		{"GOFLAGS", "-mod=mod", "-mod=mod"},
	} {
		if got := Redact(c.name, c.value); got != c.want {
			t.Errorf("%s=%s is shown as %s, want %s", c.name, c.value, got, c.want)
		}
	}
}

func TestRedactURLLeavesNoSecrets(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"https://a.example.com/mod":            "https://a.example.com/mod",
		"https://me:p@w/,|@a.example.com/go":   "https://xxxxx@a.example.com/go",
		"https://me@a.example.com/?token=p,w":  "https://xxxxx@a.example.com/?xxxxx",
		"git@git.example.com:team/mod.git":     "xxxxx@git.example.com:team/mod.git",
		"a.example.com/mod?token=pw":           "a.example.com/mod?xxxxx",
		"https://a.example.com/%zz?token=pw":   "https://a.example.com/%zz?xxxxx",
		"ssh://git:pw@git.example.com/mod.git": "ssh://xxxxx@git.example.com/mod.git",
	} {
		if got := RedactURL(url); got != want {
			t.Errorf("%s is shown as %s, want %s", url, got, want)
		}
	}
}

func FuzzNoUserIsShown(f *testing.F) {
	f.Add("https://user:", "@proxy.example.com,direct")
	f.Add("", "@a|b")
	f.Add("", "@a,https://me@b")
	f.Fuzz(func(t *testing.T, before, after string) {
		const canary = "canary7"
		if !strings.HasPrefix(after, "@") || strings.Contains(before+after, canary) {
			return
		}
		for _, shown := range []string{Redact("GOPROXY", before+canary+after), RedactURL(before + canary + after)} {
			if strings.Contains(shown, canary) {
				t.Errorf("%q shows the secret", shown)
			}
		}
	})
}

func FuzzRedact(f *testing.F) {
	f.Add("hunter2", true)
	f.Add("p@ss,w|r://d?", false)
	f.Fuzz(func(t *testing.T, password string, scheme bool) {
		if len(password) < 6 { // shorter ones may stand elsewhere in the text by chance
			return
		}
		url := "me:" + password + "@proxy.example.com/go"
		if scheme {
			url = "https://" + url
		}
		got := Redact("GOPROXY", "https://first.example.com,"+url+"|direct")
		if strings.Contains(got, password) && !strings.Contains("https://first.example.com,|proxy.example.com/go|direct://xxxxx@", password) {
			t.Errorf("%q is shown in %q", password, got)
		}
	})
}
