package survey

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/mod/sumdb/dirhash"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/mirrors"
	"github.com/goweir/weir/internal/h1"
	"github.com/goweir/weir/internal/source"
)

// maxUnpacked bounds what the files of one zip may hold together, in bytes, as
// golang.org/x/mod/zip does.
const maxUnpacked = 500 << 20

// wrongBytes is the error for a body that is not what the checksum database has.
type wrongBytes struct{ mirrors.Wrong }

func (w *wrongBytes) Error() string {
	return fmt.Sprintf("%s hashes to %s, the checksum database says %s", w.File, w.Got, w.Want)
}

// prove compares the body of a .mod or .zip with its record. What is no such file at all,
// but a web page perhaps, is a failure, not a lie.
func prove(mod Module, kind artifact.Kind, body []byte) (proven bool, err error) {
	want := mod.Mod
	if kind == artifact.Zip {
		want = mod.Zip
	}
	if err := plausible(kind, body); err != nil || want == "" {
		return false, err
	}
	got, err := hash(kind, body)
	if err != nil {
		got = "nothing, since it is broken (" + artifact.Clean(err.Error(), 100) + ")"
	}
	if got != want {
		return false, &wrongBytes{mirrors.Wrong{File: mod.Path + "@" + mod.Version + "." + kind.String(), Got: got, Want: want}}
	}
	return true, nil
}

// plausible reports what shows at first sight that a body is something else.
func plausible(kind artifact.Kind, body []byte) error {
	if kind == artifact.Mod {
		return source.CheckMod(body)
	}
	if !bytes.HasPrefix(body, []byte("PK")) {
		return errors.New("it is not a zip file")
	}
	return nil
}

func hash(kind artifact.Kind, body []byte) (string, error) {
	if kind == artifact.Zip {
		return hashZip(body)
	}
	return h1.GoMod(body), nil
}

// hashZip is h1.Hash for a zip that nobody has looked at: it may be made to unpack without
// end.
func hashZip(body []byte) (string, error) {
	z, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return "", err
	}
	var names []string
	files := map[string]*zip.File{}
	for _, f := range z.File {
		names = append(names, f.Name)
		files[f.Name] = f
	}
	left := int64(maxUnpacked)
	return dirhash.Hash1(names, func(name string) (io.ReadCloser, error) {
		r, err := files[name].Open()
		if err != nil {
			return nil, err
		}
		return &rationed{r, &left}, nil
	})
}

// rationed is a reader of one of several files that may hold only so much together.
type rationed struct {
	io.ReadCloser
	left *int64
}

func (r *rationed) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if *r.left -= int64(n); *r.left < 0 {
		return 0, fmt.Errorf("it unpacks to more than %d bytes", maxUnpacked)
	}
	return n, err
}

// holdsRecord reports whether a lookup in a checksum database names the version, as far
// as that is known.
func holdsRecord(lookup []byte, mod Module) bool {
	line := mod.Path + " " + mod.Version + " " + mod.Zip
	return strings.Contains("\n"+string(lookup), "\n"+line)
}
