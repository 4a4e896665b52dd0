package archtest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// A tree is read, built and tested on many machines. What belongs to one of
// them, such as the host that its packages come from or the folder it works in,
// stands in no file: tools find the one in their own configuration, and texts
// say https://proxy.example.com.
func TestNoFileNamesARegistryHostOrAPathOfThisMachine(t *testing.T) {
	hosts := registryHosts(t)
	if len(hosts) == 0 {
		t.Log("no package registry is configured on this machine")
	}
	report(t, checkWords(os.DirFS(root), treeFiles(t), hosts))
}

// public are hosts that a tree about Go modules names for what they are, and
// those that belong to nobody.
var public = regexp.MustCompile(`^(sum\.golang\.org|goproxy\.(cn|io)|github\.com|localhost|(.+\.)?example\.(com|org|net))$`)

// machinePath matches absolute paths into the home of root and into a folder
// that only machines of some make have. It is put together so that this file
// does not match.
var machinePath = regexp.MustCompile(`(^|[^\w.\-})])/(` + "root" + `|` + "work" + `)/`)

// checkWords looks for hosts and machine paths in the text files of a tree.
func checkWords(tree fs.FS, files, hosts []string) (problems []string) {
	for _, name := range files {
		text, err := fs.ReadFile(tree, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted, and git does not know yet
		}
		if err != nil {
			problems = append(problems, err.Error())
			continue
		}
		if bytes.IndexByte(text[:min(len(text), 8000)], 0) < 0 {
			problems = append(problems, checkText(name, string(text), hosts)...)
		}
	}
	return problems
}

func checkText(name, text string, hosts []string) (problems []string) {
	for i, line := range strings.Split(strings.ToLower(text), "\n") {
		for _, host := range hosts {
			if strings.Contains(line, host) {
				problems = append(problems, fmt.Sprintf("%s:%d names %s, the host of a package registry of this machine: "+
					"take it from the tool's own configuration at run time, or write proxy.example.com", name, i+1, host))
			}
		}
		if path := machinePath.FindString(line); path != "" {
			problems = append(problems, fmt.Sprintf("%s:%d holds the path %q of some machine: use a relative path, a temporary folder or a variable", name, i+1, path))
		}
	}
	return problems
}

// treeFiles lists the regular files of the tree that git tracks or would track;
// all of them, where the tree is no work tree of git.
func treeFiles(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	var files []string
	if out, err := cmd.Output(); err == nil {
		files = strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	} else {
		files = allFiles(t)
	}
	files = slices.DeleteFunc(files, func(name string) bool {
		info, err := os.Lstat(filepath.Join(root, name))
		return err == nil && !info.Mode().IsRegular()
	})
	if len(files) == 0 {
		t.Fatal("the tree holds no file")
	}
	return files
}

func allFiles(t *testing.T) (files []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.Name() == ".git":
			return fs.SkipDir
		case !d.IsDir():
			files = append(files, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// registryHosts returns the hosts of the package registries that the machine
// is configured to use, for Go, npm and Debian.
func registryHosts(t *testing.T) []string {
	t.Helper()
	env, err := exec.Command("go", "env", "GOPROXY", "GOROOT").Output()
	if err != nil {
		t.Fatalf("go env: %v", err)
	}
	goproxy, goroot, _ := strings.Cut(strings.TrimSpace(string(env)), "\n")
	hosts := hostsOfProxyList(goproxy)
	for line := range strings.Lines(readFile(t, filepath.Join(goroot, "go.env"))) {
		if list, ok := strings.CutPrefix(line, "GOPROXY="); ok {
			hosts = append(hosts, hostsOfProxyList(list)...)
		}
	}
	for _, name := range configFiles() {
		hosts = append(hosts, hostsOfURLs(readFile(t, name))...)
	}
	hosts = append(hosts, hostsOfURLs(os.Getenv("NPM_CONFIG_REGISTRY"))...)
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// configFiles are where npm and Debian's apt keep the addresses they use.
func configFiles() []string {
	files := []string{"/etc/npmrc", "/usr/etc/npmrc", "/usr/local/etc/npmrc", "/etc/apt/sources.list"}
	if home, err := os.UserHomeDir(); err == nil {
		files = append(files, filepath.Join(home, ".npmrc"))
	}
	more, _ := filepath.Glob("/etc/apt/sources.list.d/*") // the pattern is good
	return append(files, more...)
}

// readFile returns what a file of the machine holds: nothing if it is absent or
// not ours to read.
func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		t.Fatal(err)
	}
	return string(text)
}

// hostsOfProxyList returns the hosts of a GOPROXY list, whose entries may lack
// a scheme.
func hostsOfProxyList(list string) []string {
	var hosts []string
	for _, entry := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == '|' }) {
		entry = strings.TrimSpace(entry)
		if !strings.Contains(entry, "://") {
			entry = "https://" + entry
		}
		hosts = append(hosts, hostsOfURLs(entry)...)
	}
	return hosts
}

var webURL = regexp.MustCompile(`https?://[^\s"'\])>]+`)

// hostsOfURLs returns the hosts of the URLs in a text, without those that may
// be named. A host without a dot is left out too: it is a word like others.
func hostsOfURLs(text string) []string {
	var hosts []string
	for _, found := range webURL.FindAllString(text, -1) {
		u, err := url.Parse(found)
		if err != nil {
			continue
		}
		host := strings.ToLower(u.Hostname())
		if !strings.Contains(host, ".") || public.MatchString(host) || net.ParseIP(host).IsLoopback() {
			continue
		}
		hosts = append(hosts, host)
	}
	return hosts
}

func TestHostsAreFoundInEveryKindOfConfiguration(t *testing.T) {
	for _, c := range []struct {
		got  []string
		want string
	}{
		{hostsOfProxyList("https://user:word@go.corp.test:8443/mirror/|second.corp.test, https://third.corp.test,direct"), "go.corp.test second.corp.test third.corp.test"},
		{hostsOfProxyList("off"), ""},
		{hostsOfProxyList("http://localhost:3000,http://127.0.0.1:3000,https://goproxy.cn,https://proxy.example.com,file:///tmp/x"), ""},
		{hostsOfURLs("deb [signed-by=/x] http://apt.corp.test/debian bookworm main\n# https://snap.corp.test/y"), "apt.corp.test snap.corp.test"},
		{hostsOfURLs("registry = \"https://NPM.corp.test/\"\nproxy=http://intranet:8080"), "npm.corp.test"},
	} {
		if got := strings.Join(c.got, " "); got != c.want {
			t.Errorf("hosts are %q, want %q", got, c.want)
		}
	}
}

func TestTheCheckNoticesBadWords(t *testing.T) {
	hosts := []string{"go.corp.test"}
	for _, c := range []struct{ text, want string }{
		{"all\nis well in framework/root/x and docs/work/y", ""},
		{"first\nsee https://Go.Corp.Test/x", "bad.txt:2 names go.corp.test"},
		{"cd /" + "work/there", "bad.txt:1 holds the path"},
		{"HOME=/" + "root/go", "bad.txt:1 holds the path"},
		{"\x00go.corp.test", ""}, // not text
	} {
		tree := fstest.MapFS{"bad.txt": {Data: []byte(c.text)}}
		expect(t, checkWords(tree, []string{"bad.txt", "deleted.txt"}, hosts), c.want)
	}
}
