// Package gosumdb reads values of GOSUMDB, which say which checksum database is
// meant and by which key it is known.
//
// It takes what the go command takes, and knows the databases that this knows. It
// asks nobody.
package gosumdb

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/goweir/weir/internal/artifact"
)

// Config says which checksum database is meant.
type Config struct {
	Off  bool   // none: nothing is verified
	Name string // host[/path]
	Key  string // verifier key, in the form of golang.org/x/mod/sumdb/note
	URL  string // where the database itself is, when it was said; empty: at https://Name
}

// Default is the database that the go command asks when GOSUMDB is not set.
const Default = "sum.golang.org"

// known are the databases whose keys the go command knows.
var known = map[string]Config{
	Default:                {Key: golangKey},
	"sum.golang.google.cn": {Key: golangKey, URL: "https://sum.golang.google.cn"},
}

const golangKey = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"

// Parse reads a value of GOSUMDB: "off", the name of a known database or
// name+hash+key of another, the last two with a URL after a space if the database
// is not at https://name.
//
// Source: cmd/go/internal/modfetch/sumdb.go, dbDial.
func Parse(value string) (Config, error) {
	fields := strings.Fields(value)
	switch {
	case len(fields) == 0:
		return Config{}, errors.New("the checksum database is empty; write its name, such as sum.golang.org, or off")
	case len(fields) > 2:
		return Config{}, errors.New("the checksum database has too many fields; write name, or name+hash+key, and at most a URL after it")
	case len(fields) == 1 && fields[0] == "off":
		return Config{Off: true}, nil
	}
	c, ok := known[fields[0]]
	if !ok {
		c.Key = fields[0]
	}
	if len(fields) == 2 {
		c.URL = fields[1]
		if u, err := url.Parse(c.URL); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			return Config{}, errors.New("the URL of the checksum database is not an http or https URL")
		}
	}
	verifier, err := note.NewVerifier(c.Key)
	if err != nil {
		return Config{}, fmt.Errorf("%.100q is neither a known checksum database nor of the form name+hash+key: %w", fields[0], err)
	}
	c.Name = verifier.Name()
	if !validName(c.Name) {
		return Config{}, fmt.Errorf("the name %q of the checksum database is not of the form host[/path]", c.Name)
	}
	return c, nil
}

// validName reports whether a name is that of a path below /sumdb/.
func validName(name string) bool {
	n, err := artifact.Parse("sumdb/" + name + "/supported")
	return err == nil && n.DB == name
}
