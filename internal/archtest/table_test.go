package archtest

// modulePath is the path of the module whose tree is checked.
const modulePath = "github.com/goweir/weir"

// Modules of others, each named once so that the table reads well.
const (
	compress   = "github.com/klauspost/compress"
	cobra      = "github.com/spf13/cobra"
	pflag      = "github.com/spf13/pflag"
	oidc       = "github.com/coreos/go-oidc/v3"
	otter      = "github.com/maypok86/otter/v2"
	prometheus = "github.com/prometheus/client_golang"
	xcrypto    = "golang.org/x/crypto"
	xmod       = "golang.org/x/mod"
	xsync      = "golang.org/x/sync"
	xterm      = "golang.org/x/term"
	xtext      = "golang.org/x/text"
	yaml       = "github.com/goccy/go-yaml"
)

// A room is what a package may import besides the standard library: packages
// of this module, by their path within it, and modules of others, by their
// module path.
type room struct {
	imports []string
	// tests may import these, too, and rooms that are testOnly.
	tests []string
	// testOnly rooms help tests: only tests and other such rooms import them.
	testOnly bool
}

// house is the table of allowed imports. A request moves through it to the
// right: server, cache, source, store; nothing on the right knows what stands
// on its left, and only daemon knows everything.
var house = map[string]room{
	"cmd/weir": {imports: []string{"internal/cli"}},

	// The ground floor: names and bytes.
	"internal/artifact": {imports: []string{xmod}},
	"internal/blob":     {},
	"internal/store":    {imports: []string{"internal/blob"}},
	"internal/source":   {imports: []string{"internal/artifact", "internal/blob", xmod}},

	// What bytes pass.
	"internal/store/disk":      {imports: []string{"internal/blob", "internal/store"}},
	"internal/store/mem":       {imports: []string{"internal/blob", "internal/store", otter}},
	"internal/store/tier":      {imports: []string{"internal/blob", "internal/store", "internal/store/mem"}, tests: []string{"internal/store/disk"}},
	"internal/fileurl":         {},
	"internal/netrc":           {},
	"internal/recent":          {},
	"internal/command":         {},
	"internal/egress":          {imports: []string{"internal/artifact"}},
	"internal/source/flaw":     {imports: []string{"internal/artifact", "internal/blob", "internal/source", xmod}},
	"internal/source/upstream": {imports: []string{"internal/artifact", "internal/blob", "internal/egress", "internal/fileurl", "internal/netrc", "internal/source", "internal/source/flaw"}},
	"internal/credential":      {imports: []string{"internal/artifact", "internal/command", "internal/egress", "internal/netrc"}},
	"internal/source/pool":     {imports: []string{"internal/artifact", "internal/blob", "internal/source"}},
	"internal/h1":              {imports: []string{"internal/artifact", compress, xmod}},
	"internal/gosum":           {imports: []string{"internal/artifact", xmod}, tests: []string{"internal/h1"}},
	"internal/gosumdb":         {imports: []string{"internal/artifact", xmod}},
	"internal/sumdb":           {imports: []string{"internal/artifact", "internal/blob", "internal/gosumdb", "internal/h1", "internal/source", "internal/store", otter, xmod, xsync}, tests: []string{"internal/store/mem"}},
	"internal/cache":           {imports: []string{"internal/artifact", "internal/blob", "internal/h1", "internal/source", "internal/store", otter, xmod}},
	"internal/prefetch":        {imports: []string{"internal/artifact", "internal/cache", xmod}, tests: []string{"internal/blob"}},

	// Version control.
	"internal/source/direct/cage": {imports: []string{
		"internal/artifact", "internal/command", "internal/credential", "internal/egress", "internal/source/direct/clones", "internal/source/direct/origin", xmod,
	}},
	"internal/source/direct/clones": {},
	"internal/source/direct/origin": {imports: []string{"internal/artifact", "internal/blob", "internal/credential", "internal/egress", "internal/source/flaw"}},
	"internal/source/direct/share":  {},
	"internal/source/direct": {imports: []string{
		"internal/artifact", "internal/blob", "internal/credential", "internal/egress", "internal/limit", "internal/recent",
		"internal/source/direct/cage", "internal/source/direct/clones", "internal/source/direct/origin", "internal/source/direct/share", xmod,
	}, tests: []string{"internal/source"}},

	// Who is at the door, and who watches.
	"internal/policy":      {imports: []string{"internal/artifact", xmod}},
	"internal/limit":       {},
	"internal/audit":       {},
	"internal/certificate": {imports: []string{"internal/store", xcrypto}, tests: []string{"internal/store/disk", "internal/store/mem"}},
	"internal/admin":       {imports: []string{"internal/policy", "internal/source/pool"}},
	"internal/server":      {imports: []string{"internal/artifact", "internal/blob", "internal/cache", "internal/policy"}},
	"internal/telemetry":   {imports: []string{"internal/artifact", "internal/blob", "internal/cache", "internal/source", prometheus}},

	// Who asks.
	"internal/auth":          {imports: []string{"internal/artifact", "internal/auth/accounts", "internal/auth/idtoken", "internal/auth/password", "internal/policy"}},
	"internal/auth/accounts": {imports: []string{"internal/auth/idtoken", "internal/auth/password", "internal/policy"}},
	"internal/auth/idtoken":  {imports: []string{"internal/artifact", "internal/policy", "internal/recent", oidc}},
	"internal/auth/password": {imports: []string{"internal/artifact", "internal/recent"}},

	// What builds the house, and what people call.
	"internal/filelock": {},
	"internal/goenv":    {imports: []string{"internal/artifact"}},
	"internal/spelling": {},
	"internal/config":   {imports: []string{"internal/goenv", "internal/spelling", xmod, yaml}},
	"internal/daemon": {imports: []string{
		"internal/admin", "internal/artifact", "internal/audit", "internal/auth", "internal/auth/accounts", "internal/auth/idtoken", "internal/blob", "internal/cache", "internal/certificate", "internal/config",
		"internal/credential", "internal/egress", "internal/gosumdb", "internal/limit", "internal/policy", "internal/prefetch", "internal/server",
		"internal/source", "internal/source/direct", "internal/source/direct/cage", "internal/source/pool", "internal/source/upstream", "internal/store", "internal/store/disk", "internal/store/mem", "internal/store/tier",
		"internal/sumdb", "internal/telemetry", xmod,
	}},
	"internal/cli": {imports: []string{
		"internal/admin", "internal/artifact", "internal/auth/accounts", "internal/client/diagram", "internal/client/gomod", "internal/client/graphview", "internal/client/mainmod", "internal/client/modgraph", "internal/client/modsource", "internal/client/pkggraph", "internal/client/project", "internal/client/term", "internal/config", "internal/daemon", "internal/fileurl", "internal/goenv", "internal/gosumdb", "internal/policy",
		"internal/source", "internal/source/pool",
		"internal/client/bundle", "internal/client/bundle/export", "internal/client/bundle/intake", "internal/client/closure", "internal/client/diagram", "internal/client/doctor", "internal/client/doctor/check", "internal/client/envswitch",
		"internal/client/explain", "internal/client/goauth", "internal/client/gocmd", "internal/client/govars", "internal/client/graphview", "internal/client/login",
		"internal/client/mirrors", "internal/client/mirrors/plan", "internal/client/mirrors/report", "internal/client/mirrors/survey", "internal/client/modcache", "internal/client/modcache/prune", "internal/client/modgraph", "internal/client/modsource",
		"internal/client/pkggraph", "internal/client/profile", "internal/client/render", "internal/client/term", "internal/client/verify", "internal/client/verify/finding",
		"internal/client/warm",
		cobra, pflag,
	}},

	// What a developer runs, without a server.
	"internal/client/login":     {imports: []string{"internal/client/govars", "internal/goenv", xmod}},
	"internal/client/digraph":   {},
	"internal/client/diagram":   {},
	"internal/client/mainmod":   {imports: []string{"internal/goenv"}},
	"internal/client/project":   {imports: []string{"internal/artifact", "internal/client/mainmod", "internal/gosum", "internal/h1", xmod}},
	"internal/client/gomod":     {imports: []string{"internal/artifact", "internal/client/modsource", "internal/client/project", "internal/source", xmod, xsync}, tests: []string{"internal/client/mainmod", "internal/goenv"}},
	"internal/client/modgraph":  {imports: []string{"internal/client/digraph", "internal/client/gomod", "internal/client/project", xmod}, tests: []string{"internal/artifact", "internal/client/mainmod", "internal/client/modsource", "internal/goenv"}},
	"internal/client/pkggraph":  {imports: []string{"internal/client/digraph", xsync}},
	"internal/client/graphview": {imports: []string{"internal/artifact", "internal/client/diagram", "internal/client/gomod", "internal/client/modgraph", "internal/client/pkggraph", "internal/client/project", "internal/client/term", xmod}, tests: []string{"internal/blob", "internal/client/mainmod", "internal/source"}},
	"internal/client/explain":   {imports: []string{xmod}},
	"internal/client/govars":    {imports: []string{"internal/goenv", "internal/gosumdb", "internal/source", "internal/spelling"}},
	"internal/client/profile":   {imports: []string{"internal/client/govars", "internal/goenv", "internal/spelling", yaml}},
	"internal/client/envswitch": {imports: []string{"internal/client/gocmd", "internal/client/govars", "internal/client/profile", "internal/filelock", "internal/goenv"}},
	"internal/client/render":    {imports: []string{"internal/client/profile", "internal/spelling", yaml}}, // yaml in tests only
	"internal/client/term":      {imports: []string{xterm, xtext}},
	"internal/client/gocmd":     {imports: []string{"internal/command"}},
	"internal/client/goauth":    {imports: []string{"internal/artifact", "internal/command", "internal/goenv", "internal/netrc"}},
	"internal/client/modsource": {imports: []string{
		"internal/artifact", "internal/blob", "internal/client/goauth", "internal/client/gocmd", "internal/goenv", "internal/gosumdb", "internal/source", "internal/source/upstream", "internal/store/mem", "internal/sumdb", xmod,
	}},
	"internal/client/modcache/check":  {imports: []string{"internal/h1", xmod}},
	"internal/client/modcache/folder": {imports: []string{"internal/filelock"}},
	"internal/client/modcache":        {imports: []string{"internal/artifact", "internal/client/modcache/check", "internal/client/modcache/folder", "internal/h1", xmod, xsync}, tests: []string{"internal/client/mainmod", "internal/client/modcache/prune"}},
	"internal/client/modcache/prune":  {imports: []string{"internal/client/mainmod", "internal/client/modcache", "internal/gosum", xmod}},
	"internal/client/verify/finding":  {imports: []string{"internal/artifact"}},
	"internal/client/verify/modfiles": {imports: []string{"internal/artifact", "internal/client/mainmod", "internal/client/verify/finding", "internal/gosum", "internal/h1", xmod}},
	"internal/client/verify/compare": {imports: []string{
		"internal/artifact", "internal/client/modcache", "internal/client/modsource", "internal/client/verify/finding", "internal/client/verify/modfiles", "internal/h1", xmod, xsync,
	}, tests: []string{"internal/goenv", "internal/gosum"}},
	"internal/client/verify/drift": {imports: []string{"internal/client/gocmd", "internal/client/verify/finding", "internal/client/verify/modfiles", "internal/goenv", "internal/gosum", xmod}},
	"internal/client/verify": {imports: []string{
		"internal/artifact", "internal/client/mainmod", "internal/client/modcache", "internal/client/modsource", "internal/client/verify/compare", "internal/client/verify/drift", "internal/client/verify/finding",
		"internal/client/verify/modfiles", "internal/goenv", xmod, xsync,
	}},
	"internal/client/mirrors":        {imports: []string{"internal/client/term", "internal/source"}},
	"internal/client/mirrors/probe":  {imports: []string{"internal/artifact"}},
	"internal/client/mirrors/survey": {imports: []string{"internal/artifact", "internal/client/mirrors", "internal/client/mirrors/probe", "internal/h1", "internal/source", xmod}},
	"internal/client/mirrors/plan": {imports: []string{
		"internal/artifact", "internal/client/goauth", "internal/client/mainmod", "internal/client/mirrors", "internal/client/mirrors/survey", "internal/client/modsource", "internal/goenv", "internal/gosum", "internal/source",
	}},
	"internal/client/mirrors/report": {imports: []string{"internal/client/mirrors", "internal/source"}},

	"internal/client/doctor/check":      {},
	"internal/client/doctor/visit":      {imports: []string{"internal/artifact"}},
	"internal/client/doctor/folder":     {imports: []string{"internal/client/doctor/check", "internal/client/mainmod", "internal/gosum", xmod}},
	"internal/client/doctor/settings":   {imports: []string{"internal/client/doctor/check", "internal/client/doctor/folder", "internal/client/goauth", "internal/client/gocmd", "internal/client/govars", "internal/client/mainmod", "internal/goenv", "internal/gosumdb", "internal/source", xmod}},
	"internal/client/doctor/caches":     {imports: []string{"internal/client/doctor/check", "internal/client/doctor/settings", "internal/client/term"}, tests: []string{"internal/goenv"}},
	"internal/client/doctor/advice":     {imports: []string{"internal/artifact", "internal/client/doctor/check", "internal/client/doctor/settings", "internal/client/doctor/visit", "internal/source"}, tests: []string{"internal/goenv"}},
	"internal/client/doctor/proxy":      {imports: []string{"internal/artifact", "internal/client/doctor/advice", "internal/client/doctor/check", "internal/client/doctor/settings", "internal/client/doctor/visit", "internal/client/goauth", "internal/fileurl", "internal/netrc", "internal/source"}},
	"internal/client/doctor/sums":       {imports: []string{"internal/artifact", "internal/client/doctor/advice", "internal/client/doctor/check", "internal/client/doctor/proxy", "internal/client/doctor/settings", "internal/client/doctor/visit", "internal/gosum", "internal/gosumdb", xmod}},
	"internal/client/doctor/repository": {imports: []string{"internal/artifact", "internal/client/doctor/advice", "internal/client/doctor/check", "internal/client/doctor/settings", "internal/client/doctor/visit", "internal/client/govars", "internal/command", xmod}},
	"internal/client/doctor/walk":       {imports: []string{"internal/artifact", "internal/client/doctor/advice", "internal/client/doctor/check", "internal/client/doctor/proxy", "internal/client/doctor/repository", "internal/client/doctor/settings", "internal/client/doctor/sums", "internal/client/doctor/visit", "internal/gosum", "internal/h1", "internal/source", xmod}, tests: []string{"internal/fileurl"}},
	"internal/client/doctor": {imports: []string{
		"internal/client/doctor/advice", "internal/client/doctor/caches", "internal/client/doctor/check", "internal/client/doctor/proxy", "internal/client/doctor/repository",
		"internal/client/doctor/settings", "internal/client/doctor/sums", "internal/client/doctor/visit", "internal/client/doctor/walk", xmod,
	}},

	// What brings all that a project needs.
	"internal/client/closure": {imports: []string{"internal/artifact", "internal/blob", "internal/client/mainmod", "internal/client/modsource", "internal/gosum", "internal/h1", "internal/source", xmod, xsync}, tests: []string{"internal/goenv"}},
	"internal/client/warm":    {imports: []string{"internal/artifact", "internal/client/closure", "internal/client/gocmd", "internal/client/modsource", "internal/goenv", "internal/source", xmod}},
	"internal/client/bundle":  {imports: []string{"internal/artifact", compress, xmod}},
	"internal/client/bundle/export": {imports: []string{
		"internal/artifact", "internal/client/bundle", "internal/client/closure", "internal/client/modsource", "internal/h1", "internal/source", "internal/store", "internal/store/disk", xmod, xsync,
	}},
	"internal/client/bundle/intake": {imports: []string{
		"internal/artifact", "internal/blob", "internal/client/bundle", "internal/client/closure", "internal/client/modsource", "internal/gosumdb", "internal/h1", "internal/source", "internal/source/upstream",
		"internal/store", "internal/store/disk", "internal/sumdb", xmod,
	}, tests: []string{"internal/client/bundle/export"}},

	// Tests only.
	"internal/archtest": {testOnly: true},
	"internal/client/bundle/bundletest": {imports: []string{
		"internal/artifact", "internal/client/bundle", "internal/client/bundle/export", "internal/client/closure", "internal/client/modsource", "internal/goenv", "internal/modtest",
	}, testOnly: true},
	"internal/modtest":           {imports: []string{xmod}, testOnly: true},
	"internal/store/storetest":   {imports: []string{"internal/blob", "internal/store"}, testOnly: true},
	"internal/source/sourcetest": {imports: []string{"internal/artifact", "internal/blob", "internal/source"}, testOnly: true},
}

// unwanted names what product code must not import, and why.
var unwanted = map[string]string{
	"html/template":     "it makes the linker keep every exported method, which adds megabytes",
	"text/template":     "it makes the linker keep every exported method, which adds megabytes",
	"net/http/httptest": "it is for tests",
	"testing":           "it is for tests",
	"testing/*":         "it is for tests",
}
