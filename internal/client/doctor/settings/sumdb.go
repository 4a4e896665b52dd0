package settings

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/goweir/weir/internal/client/doctor/check"
	"github.com/goweir/weir/internal/gosumdb"
)

// GOSUMDB is the checksum database that is in force.
func (s *Settings) GOSUMDB() (gosumdb.Config, error) {
	return gosumdb.Parse(cmp.Or(s.Value("GOSUMDB"), "sum.golang.org"))
}

func (s *Settings) checkSumDB() check.Result {
	c, err := s.GOSUMDB()
	switch {
	case err != nil:
		return check.Trouble("gosumdb-malformed", fmt.Sprintf("the go command refuses %s: %s", s.From("GOSUMDB"), err), "write the name of a known database, name+hash+key of another, or off", s.Unset("GOSUMDB"))
	case c.Off && s.Fetches():
		return check.Warning("gosumdb-off", s.From("GOSUMDB")+" is off, so that nobody notices changed modules that are not in go.sum yet",
			"keep only private modules from the database, with GOPRIVATE", s.Unset("GOSUMDB"))
	case c.Off:
		return check.Well("off")
	}
	for _, name := range []string{"GONOSUMDB", "GOPRIVATE"} {
		if slices.Contains(strings.Split(s.Value(name), ","), "*") && s.Fetches() {
			return check.Warning("gosumdb-off", s.From(name)+" is *, so that no module is verified", "name the hosts of your private modules instead")
		}
		if s.Value("GONOSUMDB") != "" {
			break // which hides GOPRIVATE
		}
	}
	return check.Well(c.Name)
}
