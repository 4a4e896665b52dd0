package origin

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// A goImport is one go-import tag of a page: the modules below a path are in a
// repository.
type goImport struct{ prefix, vcs, url, subdir string }

// parseGoImports reads the go-import tags in the head of a page. An error means
// that there is none before the page became unreadable.
//
// Source: the Go Modules Reference, "Finding a repository for a module path".
func parseGoImports(page io.Reader) ([]goImport, error) {
	d := xml.NewDecoder(page)
	d.Strict = false
	d.CharsetReader = asciiOrUTF8
	var tags []goImport
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) || err != nil && len(tags) > 0 {
			return tags, nil
		}
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if strings.EqualFold(t.Name.Local, "body") {
				return tags, nil
			}
			if tag, ok := goImportOf(t); ok {
				tags = append(tags, tag)
			}
		case xml.EndElement:
			if strings.EqualFold(t.Name.Local, "head") {
				return tags, nil
			}
		}
	}
}

func asciiOrUTF8(charset string, page io.Reader) (io.Reader, error) {
	switch strings.ToLower(charset) {
	case "utf-8", "ascii":
		return page, nil
	}
	return nil, errCharset
}

var errCharset = errors.New("the page is not in UTF-8")

func goImportOf(e xml.StartElement) (goImport, bool) {
	if !strings.EqualFold(e.Name.Local, "meta") || attribute(e, "name") != "go-import" {
		return goImport{}, false
	}
	words := strings.Fields(attribute(e, "content"))
	if len(words) != 3 && len(words) != 4 {
		return goImport{}, false
	}
	words = append(words, "") // no subdir
	return goImport{prefix: words[0], vcs: words[1], url: words[2], subdir: words[3]}, true
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if strings.EqualFold(a.Name.Local, name) {
			return a.Value
		}
	}
	return ""
}

// chooseGoImport returns the tag for a module. One that leads to a module proxy
// is preferred; two that could be meant are none.
func chooseGoImport(tags []goImport, mod string) (goImport, error) {
	var proxies, repositories []goImport
	for _, tag := range tags {
		switch {
		case !within(mod, tag.prefix):
		case tag.vcs == "mod":
			proxies = append(proxies, tag)
		default:
			repositories = append(repositories, tag)
		}
	}
	found := proxies
	if len(found) == 0 {
		found = repositories
	}
	switch len(found) {
	case 0:
		return goImport{}, fmt.Errorf("has no go-import tag for %s", mod)
	case 1:
		return found[0], nil
	}
	return goImport{}, fmt.Errorf("has several go-import tags for %s", mod)
}

// within reports whether a module path is prefix or lies below it.
func within(mod, prefix string) bool {
	rest, ok := strings.CutPrefix(mod, prefix)
	return ok && (rest == "" || rest[0] == '/')
}

// page returns the page that has the tag and nothing else.
func (t goImport) page() []byte {
	var b bytes.Buffer
	b.WriteString(`<html><head><meta name="go-import" content="`)
	for i, word := range []string{t.prefix, t.vcs, t.url, t.subdir} {
		if i > 0 {
			b.WriteByte(' ')
		}
		xml.EscapeText(&b, []byte(word)) // memory takes every write
	}
	b.WriteString(`"></head></html>`)
	return b.Bytes()
}
