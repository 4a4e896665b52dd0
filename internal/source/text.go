package source

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/mod/modfile"

	"github.com/goweir/weir/internal/artifact"
)

// CheckMod reports what is wrong with an answer that should be a go.mod file:
// it must name a module. That it need not be the module asked for is how forks
// are used in replace directives.
func CheckMod(mod []byte) error {
	if err := checkText(mod, artifact.Mod); err != nil {
		return err
	}
	if modfile.ModulePath(mod) == "" {
		return errors.New("the go.mod names no module")
	}
	return nil
}

// CheckPage reports that text is a web page or XML, as login pages and object
// stores send them. No text of the protocol begins like one.
func CheckPage(text []byte) error {
	start := bytes.TrimPrefix(text[:min(len(text), 512)], []byte("\ufeff"))
	if bytes.HasPrefix(bytes.TrimSpace(start), []byte("<")) {
		return errors.New("a web page came in its place, such as a login page")
	}
	return nil
}

// checkText reports what no text of the protocol can be.
func checkText(text []byte, k artifact.Kind) error {
	if int64(len(text)) > k.MaxSize() {
		return fmt.Errorf("it is larger than %d bytes", k.MaxSize())
	}
	if err := CheckPage(text); err != nil {
		return err
	}
	if bytes.IndexByte(text, 0) >= 0 {
		return errors.New("it is not text")
	}
	return nil
}
