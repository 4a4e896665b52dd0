package daemon

import (
	"slices"

	"github.com/goweir/weir/internal/admin"
	"github.com/goweir/weir/internal/config"
	"github.com/goweir/weir/internal/policy"
)

// namesFor are the patterns of modules that somebody's go command must treat otherwise
// than public ones. Strangers hear of none, and nobody of those that are hidden from them.
func (d *daemon) namesFor(s policy.Subject) admin.Names {
	if s.Name == "" {
		return admin.Names{}
	}
	// A pattern is a path, too, that matches itself: so the rules can be asked about it.
	hidden := func(pattern string) bool { return d.door.MayRead(s, pattern).Hide }
	n := unproven(d.cfg.Load())
	return admin.Names{Private: slices.DeleteFunc(n.Private, hidden), NoSumdb: slices.DeleteFunc(n.NoSumdb, hidden)}
}

// unproven are the patterns of all modules that the checksum database must not hear of,
// each once.
func unproven(cfg *config.Config) (n admin.Names) {
	n.Private, n.NoSumdb = slices.Clone(cfg.Private), slices.Clone(cfg.NoSumdb)
	for _, r := range cfg.Routes {
		switch {
		case r.Private:
			n.Private = append(n.Private, r.Match...)
		case r.SumdbPolicy == config.PolicyOff:
			n.NoSumdb = append(n.NoSumdb, r.Match...)
		}
	}
	n.Private = unique(n.Private)
	n.NoSumdb = slices.DeleteFunc(unique(n.NoSumdb), func(p string) bool { return slices.Contains(n.Private, p) })
	return n
}

func unique(patterns []string) []string {
	slices.Sort(patterns)
	return slices.Compact(patterns)
}
