package profile

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/goweir/weir/internal/spelling"
)

// A Folder is where the profiles of a user are: files NAME.yaml. Profiles that are built
// in are there without a file, until they are edited.
type Folder string

// DefaultFolder is weir/profiles in the folder of this user for configurations.
func DefaultFolder() (Folder, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", err
	}
	return Folder(filepath.Join(dir, "weir", "profiles")), nil
}

//go:embed builtin/*.yaml
var builtin embed.FS

const suffix = ".yaml"

// None is the name of no profile: what there is when none is used.
const None = "none"

var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// CheckName reports why a profile cannot have a name.
func CheckName(name string) error {
	switch {
	case name == None:
		return fmt.Errorf("%q means no profile at all; choose another name", None)
	case !validName.MatchString(name) || !filepath.IsLocal(name+suffix):
		return fmt.Errorf("%.80q is no name for a profile; write up to 64 small letters, digits, dots, dashes and underscores", name)
	}
	return nil
}

// isPath reports whether the name of a profile is the path of a file, such as one that a
// project keeps.
func isPath(name string) bool {
	return strings.ContainsAny(name, `/\`) || strings.HasSuffix(name, suffix)
}

// An Origin says where a profile is from.
type Origin string

// The origins.
const (
	BuiltIn Origin = "built in"
	Edited  Origin = "edited" // in place of the one that is built in
	Own     Origin = "own"
)

// An Entry is one profile of the folder, or why it cannot be used.
type Entry struct {
	Profile
	Origin Origin
	Err    error
}

// List is all profiles by name, those that cannot be used among them.
func (f Folder) List() ([]Entry, error) {
	names := builtinNames()
	files, err := os.ReadDir(string(f))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, file := range files {
		name, ok := strings.CutSuffix(file.Name(), suffix)
		if ok && CheckName(name) == nil && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var all []Entry
	for _, name := range names {
		p, err := f.Load(name)
		p.Name = name
		all = append(all, Entry{Profile: p, Origin: f.origin(name), Err: err})
	}
	return all, nil
}

func builtinNames() []string {
	files, _ := builtin.ReadDir("builtin") // it is in the program
	var names []string
	for _, file := range files {
		names = append(names, strings.TrimSuffix(file.Name(), suffix))
	}
	return names
}

func (f Folder) origin(name string) Origin {
	_, err := os.Stat(f.file(name))
	switch {
	case err != nil:
		return BuiltIn
	case slices.Contains(builtinNames(), name):
		return Edited
	default:
		return Own
	}
}

func (f Folder) file(name string) string { return filepath.Join(string(f), name+suffix) }

// Load reads a profile, by its name or, for names with a slash or that end in .yaml, by
// the path of its file; its name is then the whole path.
func (f Folder) Load(name string) (Profile, error) {
	text, file, err := f.read(name)
	if err != nil {
		return Profile{}, err
	}
	label := file
	if file == "" {
		label = name + suffix
	}
	p, err := Parse(label, text)
	if err != nil {
		return Profile{}, err
	}
	p.Name, p.File = name, file
	if isPath(name) {
		p.Name, err = filepath.Abs(name) // means the same in every folder
	}
	return p, err
}

// Text is the text of a profile, and whether there is one.
func (f Folder) Text(name string) (text string, ok bool, err error) {
	text, _, err = f.read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	return text, err == nil, err
}

// read finds the text of a profile, and its file unless it is built in.
func (f Folder) read(name string) (text, file string, err error) {
	if isPath(name) {
		text, err = readFile(name)
		return text, name, err
	}
	if err := CheckName(name); err != nil {
		return "", "", err
	}
	file = f.file(name)
	text, err = readFile(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return text, file, err
	}
	data, err := builtin.ReadFile("builtin/" + name + suffix)
	if err != nil {
		return "", "", f.unknown(name)
	}
	return string(data), "", nil
}

// unknown is the error of a name that no profile has.
func (f Folder) unknown(name string) error {
	names := builtinNames()
	if files, err := filepath.Glob(f.file("*")); err == nil {
		for _, file := range files {
			names = append(names, strings.TrimSuffix(filepath.Base(file), suffix))
		}
	}
	if meant := spelling.Nearest(names, name); meant != "" {
		return unknownProfile{fmt.Sprintf("there is no profile %q; did you mean %s?", name, meant)}
	}
	return unknownProfile{fmt.Sprintf(`there is no profile %q; "weir env list" shows those there are, "weir env edit %s" makes it`, name, name)}
}

// unknownProfile is [fs.ErrNotExist] with a text for people.
type unknownProfile struct{ text string }

func (u unknownProfile) Error() string      { return u.text }
func (unknownProfile) Is(target error) bool { return target == fs.ErrNotExist }

// readFile reads a file of at most maxFile bytes.
func readFile(name string) (string, error) {
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	return string(data), err
}

// HowToEdit says how to edit the profile.
func (p Profile) HowToEdit() string {
	if isPath(p.Name) {
		return "it is in " + p.File
	}
	return "weir env edit " + p.Name
}

// Save checks the text of a profile and makes it the file of that name.
func (f Folder) Save(name, text string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if _, err := Parse(f.file(name), text); err != nil {
		return err
	}
	return WriteFile(f.file(name), text, 0o644)
}

// Remove removes the file of a profile. One that is built in is then as it was before it
// was edited; that one cannot be removed.
func (f Folder) Remove(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	err := os.Remove(f.file(name))
	switch {
	case !errors.Is(err, fs.ErrNotExist):
		return err
	case slices.Contains(builtinNames(), name):
		return fmt.Errorf("%s is built in and has not been edited; there is nothing to remove", name)
	}
	return f.unknown(name)
}

// WriteFile writes a file as a whole or not at all.
func WriteFile(name, text string, mode fs.FileMode) error {
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	next, err := os.CreateTemp(dir, ".next-*")
	if err != nil {
		return err
	}
	_, err = next.WriteString(text)
	err = errors.Join(err, next.Chmod(mode), next.Sync(), next.Close())
	if err == nil {
		err = os.Rename(next.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(next.Name()))
	}
	return nil
}
