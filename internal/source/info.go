package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/goweir/weir/internal/artifact"
)

// Info is what the .info of a version says, as far as it matters here.
type Info struct {
	Version string
	Time    time.Time // zero where the .info has none
}

// clockSkew is how far in the future the time of a version may lie.
const clockSkew = 48 * time.Hour

// ParseInfo reads the .info that answers n, which is of the kind Info, Latest
// or Query, and refuses one that the go command would refuse or that cannot be
// true: a version that is not canonical, does not fit the path or is not the
// one that was asked for, and a time that is far in the future. Fields it does
// not know are left alone. The time may differ from the one in a pseudo-version:
// mirrors exist that tell when they got it, and the go command does not mind.
func ParseInfo(n artifact.Name, data []byte) (Info, error) {
	if err := checkText(data, n.Kind); err != nil {
		return Info{}, err
	}
	var info *Info
	if err := json.Unmarshal(data, &info); err != nil {
		return Info{}, fmt.Errorf("not the JSON of an .info: %s", artifact.Clean(err.Error(), 120))
	}
	if info == nil {
		return Info{}, errors.New("not the JSON of an .info: null")
	}
	if !artifact.IsCanonical(n.Module, info.Version) {
		return Info{}, fmt.Errorf("the .info names %s, which is no canonical version of this module", quote(info.Version))
	}
	if n.Kind == artifact.Info && info.Version != n.Version {
		return Info{}, fmt.Errorf("the .info is of another version: %s", quote(info.Version))
	}
	if info.Time.After(time.Now().Add(clockSkew)) {
		return Info{}, fmt.Errorf("the .info has a time in the future: %s", info.Time.Format(time.RFC3339))
	}
	return *info, nil
}

// quote makes a word of strangers fit to be shown.
func quote(word string) string { return fmt.Sprintf("%q", artifact.Clean(word, 80)) }
