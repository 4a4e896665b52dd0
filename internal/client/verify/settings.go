package verify

import (
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"github.com/goweir/weir/internal/client/verify/finding"
	"github.com/goweir/weir/internal/client/verify/modfiles"
)

// checkSettings finds settings of the go command under which the sums of this project do
// not protect it.
func (r *run) checkSettings() {
	if mod, _ := r.Env.Flag("mod"); mod == "mod" {
		s, _ := r.Env.Lookup("GOFLAGS")
		r.add(finding.New(finding.SettingModMod, r.Main(), 1, "%s has -mod=mod, so that builds change go.mod and go.sum instead of failing", s.Origin()))
	}
	if s, ok := r.Env.Lookup("GOSUMDB"); ok && s.Value == "off" {
		r.add(finding.New(finding.SettingNoSumDB, r.Main(), 1, "%s is off, so that nobody proves new lines of go.sum", s.Origin()))
		return
	}
	if s, ok := r.Env.First("GONOSUMDB", "GOPRIVATE"); ok {
		for pattern := range strings.SplitSeq(s.Value, ",") {
			r.checkPattern(s.Origin(), strings.TrimSpace(pattern))
		}
	}
}

// wellKnown are modules that are public beyond doubt, and names below code hosts that
// belong to nobody in particular: a pattern that matches one of them means a whole host,
// or what is everybody's.
var wellKnown = []string{
	"github.com/a--/b", "gitlab.com/a--/b", "bitbucket.org/a--/b", "gitee.com/a--/b", "codeberg.org/a--/b", "gopkg.in/a--.v1",
	"golang.org/x/text", "google.golang.org/grpc", "google.golang.org/protobuf", "cloud.google.com/go", "go.uber.org/zap", "k8s.io/api", "sigs.k8s.io/yaml",
	"go.opentelemetry.io/otel", "go.etcd.io/bbolt", "gorm.io/gorm", "github.com/golang/protobuf", "github.com/google/uuid", "github.com/stretchr/testify",
	"github.com/spf13/cobra", "github.com/gin-gonic/gin", "github.com/prometheus/client_golang", "github.com/aws/aws-sdk-go-v2",
}

// checkPattern finds a pattern that is wider than what can be private, if it hides a line
// of this project.
func (r *run) checkPattern(origin, pattern string) {
	public := slices.IndexFunc(wellKnown, func(path string) bool { return module.MatchPrefixPatterns(pattern, path) })
	if pattern == "" || public < 0 {
		return
	}
	var hidden []modfiles.Line
	for _, l := range r.lines {
		if module.MatchPrefixPatterns(pattern, l.Module.Path) {
			hidden = append(hidden, l)
		}
	}
	if len(hidden) == 0 {
		return
	}
	r.add(hidden[0].Found(finding.SettingPublic, "%s has the pattern %q, which matches public modules, too: %d lines are kept from %s, such as this one", origin, pattern, len(hidden), r.database()))
}

// database is the name of the checksum database.
func (r *run) database() string {
	fields := strings.Fields(r.Env.Value("GOSUMDB"))
	if len(fields) == 0 {
		return "sum.golang.org"
	}
	name, _, _ := strings.Cut(fields[0], "+")
	return name
}
