package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

func (c *Config) groupProblems() []problem {
	var problems []problem
	for _, name := range slices.Sorted(maps.Keys(c.Groups)) {
		g := c.Groups[name]
		check := &checker{key: join("groups", name)}
		check.add("", checkName(name))
		if _, ok := c.Upstreams[name]; ok {
			check.add("", fmt.Sprintf("%q is the name of an upstream already; choose another name", name))
		}
		check.rules("groups", c, &g)
		check.members(c, g.Members)
		problems = append(problems, check.problems...)
	}
	return problems
}

func (c *checker) members(config *Config, members Names) {
	if len(members) == 0 {
		c.add("members", "a group has at least one member; write names of upstreams, such as [company]")
	}
	seen := map[string]bool{}
	for i, name := range members {
		if len(c.problems) >= maxItems {
			return
		}
		switch text := config.checkMember(name); {
		case text != "":
			c.addItem("members", i, quote(name)+": "+text)
		case seen[name]:
			c.addItem("members", i, quote(name)+" is a member already; remove it here")
		}
		seen[name] = true
	}
}

func (c *Config) checkMember(name string) string {
	if _, ok := c.Upstreams[name]; ok {
		return ""
	}
	if _, ok := c.Groups[name]; ok {
		return "members of a group are upstreams, not groups"
	}
	return "no upstream has this name; " + didYouMean(slices.Sorted(maps.Keys(c.Upstreams)), name, "add it to upstreams")
}

func (c *Config) routeProblems() []problem {
	var problems []problem
	first := map[string]int{} // the route that has a pattern
	for i, r := range c.Routes {
		check := &checker{key: fmt.Sprintf("routes[%d]", i)}
		check.rules("routes", c, &r)
		check.match(i, r.Match, first)
		check.add("upstream", c.checkRouteUpstream(&r))
		if r.Private && r.SumdbPolicy != PolicyOff {
			check.add("sumdb_policy", `no checksum database is asked for private modules; remove this or write "off"`)
		}
		problems = append(problems, check.problems...)
	}
	return problems
}

// match checks the patterns of a route. Of two routes with the same one the second
// would have no effect, which may go unnoticed.
func (c *checker) match(route int, patterns Patterns, first map[string]int) {
	if len(patterns) == 0 {
		c.add("match", `a route has at least one pattern; write for instance ["git.example.com", "github.com/our-team/*"]`)
	}
	c.problems = append(c.problems, checkPatterns(join(c.key, "match"), patterns)...)
	for i, p := range patterns {
		p = strings.TrimRight(p, "/")
		if earlier, ok := first[p]; ok && len(c.problems) < maxItems {
			c.addItem("match", i, fmt.Sprintf("%s is in routes[%d] already, which decides; remove it here", quote(p), earlier))
			continue
		}
		first[p] = route
	}
}

func (c *Config) checkRouteUpstream(r *Route) string {
	switch {
	case r.Private && r.Upstream == "":
		return "a private route asks none of the upstreams for all; write which upstream has these modules"
	case r.Upstream == c.Upstream:
		return ""
	default:
		return c.checkUpstream(r.Upstream)
	}
}
