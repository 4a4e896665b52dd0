package profile

import (
	"fmt"
	"slices"

	"github.com/goweir/weir/internal/client/govars"
	"github.com/goweir/weir/internal/goenv"
)

// A Now is what one variable of the go command is on this machine.
type Now struct {
	Name   string
	Value  string          // in force
	Layers []goenv.Setting // that set it, the one in force first: it hides the others
}

// InForce are the variables of profiles as they are now. Defaults are among them if env
// was asked for them.
func InForce(env *goenv.Env) []Now {
	var all []Now
	for _, name := range govars.Names() {
		all = append(all, Now{Name: name, Value: env.Value(name), Layers: env.All(name)})
	}
	return all
}

// isOwn reports whether the user has set a variable, be it for all shells or for this one.
func (n Now) isOwn() bool {
	return len(n.Layers) > 0 && (n.Layers[0].Layer == goenv.Environment || n.Layers[0].Layer == goenv.UserFile)
}

// FromNow is the profile of what the user has set now. It refuses secrets.
func FromNow(name string, env *goenv.Env) (Profile, error) {
	p := Profile{Name: name}
	for _, now := range InForce(env) {
		if !now.isOwn() {
			continue
		}
		if err := govars.Check(now.Name, now.Value); err != nil {
			return Profile{}, fmt.Errorf("%s: %w", now.Name, err)
		}
		p.Settings = append(p.Settings, Setting{Name: now.Name, Value: now.Value})
	}
	return p, nil
}

// A Difference is a variable that two sides have different values of.
type Difference struct {
	Name        string
	Left, Right Side
}

// A Side is one of two values.
type Side struct {
	Value string
	Said  bool // by this side; otherwise it leaves the variable as it is
	Unset bool // the side says that the default counts
}

// Compare compares two profiles.
func Compare(left, right Profile) []Difference {
	var all []Difference
	for _, name := range govars.Names() {
		d := Difference{name, side(left, name), side(right, name)}
		if d.Left != d.Right {
			all = append(all, d)
		}
	}
	return all
}

func side(p Profile, name string) Side {
	s, ok := p.Lookup(name)
	return Side{Value: s.Value, Said: ok, Unset: s.Unset}
}

// CompareNow compares what is in force with what a profile says. What the profile does
// not say is no difference.
func CompareNow(now []Now, p Profile) []Difference {
	var all []Difference
	for _, s := range p.Settings {
		i := slices.IndexFunc(now, func(n Now) bool { return n.Name == s.Name })
		same := now[i].Value == s.Value
		if s.Unset {
			same = !now[i].isOwn()
		}
		if !same {
			all = append(all, Difference{s.Name, Side{Value: now[i].Value, Said: true, Unset: !now[i].isOwn()}, side(p, s.Name)})
		}
	}
	return all
}
