package accounts_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goweir/weir/internal/auth/accounts"
	"github.com/goweir/weir/internal/auth/password"
)

func load(t testing.TB, path string) *accounts.File {
	t.Helper()
	f, err := accounts.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// knows reports whether a token is right.
func knows(f *accounts.File, token string) bool {
	id, secret, ok := accounts.ParseToken(token)
	_, right := f.Token(id, secret)
	return ok && right
}

func TestTheFileKeepsNoSecrets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	token, err := accounts.CreateToken(path, accounts.TokenSpec{User: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	if err := accounts.SetUser(path, accounts.User{Name: "bob"}, "correct horse"); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	secret := token[strings.LastIndex(token, "_")+1:]
	if len(secret) < 40 || strings.Contains(string(data), secret) || strings.Contains(string(data), "correct horse") {
		t.Errorf("the file of %s:\n%s", token, data)
	}
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// Before its first start a server has no folder yet.
func TestTheFirstTokenAndTheFirstUserNeedNoFolder(t *testing.T) {
	for name, create := range map[string]func(path string) error{
		"token": func(path string) error {
			_, err := accounts.CreateToken(path, accounts.TokenSpec{User: "alice"})
			return err
		},
		"user": func(path string) error {
			return accounts.SetUser(path, accounts.User{Name: "bob"}, "correct horse")
		},
	} {
		data := filepath.Join(t.TempDir(), "lib", "weir")
		if err := create(filepath.Join(data, "tokens.json")); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		info, err := os.Stat(data)
		if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

func TestAFolderThatCannotBeMadeIsSaidToBelongToTheServer(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(data, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := accounts.CreateToken(filepath.Join(data, "tokens.json"), accounts.TokenSpec{User: "alice"})
	if err == nil || !strings.Contains(err.Error(), "as the user of the server") {
		t.Error(err)
	}
}

// A slip of the pen in the name of the folder leaves nothing behind.
func TestTakingAwayMakesNoFolder(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	path := filepath.Join(data, "tokens.json")
	for name, err := range map[string]error{"token": accounts.RevokeToken(path, "0123"), "user": accounts.RemoveUser(path, "bob")} {
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "--data") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Stat(data); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestTokensAreListedAndRevoked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	expires := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	var tokens []string
	for _, s := range []accounts.TokenSpec{{User: "alice", Groups: []string{"b", "a", "b"}, Expires: expires}, {User: "ci job"}} {
		token, err := accounts.CreateToken(path, s)
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, token)
	}
	id := strings.Split(tokens[0], "_")[1]
	if err := accounts.RevokeToken(path, id); err != nil {
		t.Fatal(err)
	}
	if err := accounts.RevokeToken(path, "0123"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an unknown token: %v", err)
	}
	list, err := accounts.ListTokens(path)
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	first := list[0]
	if first.ID != id || first.User != "alice" || strings.Join(first.Groups, " ") != "a b" || !first.Expires.Equal(expires) || !first.Revoked || time.Since(first.Created) > time.Hour {
		t.Errorf("the first is %+v", first)
	}
	if list[1].User != "ci job" || list[1].Revoked || !list[1].Expires.IsZero() {
		t.Errorf("the second is %+v", list[1])
	}
}

func TestUsersAreReplacedAndRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	for _, secret := range []string{"first password", "second password"} {
		if err := accounts.SetUser(path, accounts.User{Name: "alice"}, secret); err != nil {
			t.Fatal(err)
		}
	}
	file := load(t, path)
	c := password.NewChecker()
	defer c.Close()
	right := func(secret string) bool {
		_, h, known := file.User("alice")
		right, err := c.Check(t.Context(), "alice", h, secret)
		if err != nil {
			t.Fatal(err)
		}
		return known && right
	}
	if right("first password") {
		t.Error("the old password is accepted")
	}
	if !right("second password") {
		t.Error("the new password is refused")
	}
	if err := accounts.RemoveUser(path, "alice"); err != nil {
		t.Fatal(err)
	}
	if err := file.Reload(); err != nil {
		t.Fatal(err)
	}
	if right("second password") {
		t.Error("a removed user is accepted, as the password was known")
	}
	if err := accounts.RemoveUser(path, "alice"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an unknown user: %v", err)
	}
}

func TestNamesAndPasswordsThatAreOfNoUseAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	for _, s := range []accounts.TokenSpec{
		{}, {User: " a"}, {User: "a\nb"}, {User: "a\x1b[31m"}, {User: "\xff"}, {User: strings.Repeat("x", 251)},
		{User: "a", Groups: []string{""}}, {User: "a", Groups: []string{"x\u202ey"}}, {User: "a", Expires: time.Now().Add(-time.Hour)},
	} {
		if token, err := accounts.CreateToken(path, s); err == nil || token != "" {
			t.Errorf("%+v: %q, %v", s, token, err)
		}
	}
	for name, secret := range map[string]string{
		"a:b": "correct horse", "a": "short", "": "correct horse", "b": "weir_" + strings.Repeat("0", 12) + "_" + strings.Repeat("0", 48),
		"c": "eyJhIjoxfQ.eyJpc3MiOiJ4In0.c2ln", "d": strings.Repeat("x", 1<<20),
	} {
		if err := accounts.SetUser(path, accounts.User{Name: name}, secret); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file exists: %v", err)
	}
}

func TestABrokenFileIsRefusedAndLeftAsItIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	if _, err := accounts.CreateToken(path, accounts.TokenSpec{User: "alice"}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	good := string(data)
	record := good[strings.Index(good, "{\n      ") : strings.Index(good, "}")+1]
	for name, tt := range map[string]struct{ text, want string }{
		"cut":            {good[:len(good)/2], "line "},
		"empty":          {"", "no file of tokens"},
		"no JSON":        {"{\n\n\nx", "line 4"},
		"wrong type":     {strings.Replace(good, `"alice"`, "7", 1), "line 5"},
		"unknown field":  {strings.Replace(good, `"user"`, `"usr"`, 1), "usr"},
		"more behind it": {good + "{}", "follows"},
		"two documents":  {good + good, "follows"},
		"digest is cut":  {strings.Replace(good, `"sha256": "`, `"sha256": "00`, 1), "sha256"},
		"no id":          {strings.Replace(good, `"id": "`, `"id": "x`, 1), "token 1"},
		"id twice":       {strings.Replace(good, record, record+", "+record, 1), "token 2"},
		"no user":        {strings.Replace(good, `"alice"`, `""`, 1), "user"},
		"bad hash":       {`{"users": [{"name": "bob", "password": "plain text"}]}`, `user 1 (name "bob")`},
		"weak hash":      {`{"users": [{"name": "bob", "password": "pbkdf2-sha256$1000$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}`, "1000"},
		"endless hash":   {`{"users": [{"name": "bob", "password": "pbkdf2-sha256$99999999999$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}`, "iterations"},
		"cut hash":       {`{"users": [{"name": "bob", "password": "pbkdf2-sha256$600000$AAAAAAAAAAAAAAAAAAAAAA$AA"}]}`, "short"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := accounts.Load(path)
			if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
			if _, err := accounts.CreateToken(path, accounts.TokenSpec{User: "bob"}); err == nil {
				t.Error("a token is added to it")
			}
			if now, err := os.ReadFile(path); err != nil || string(now) != tt.text {
				t.Errorf("the file was changed: %v", err)
			}
		})
	}
}

func TestReloadKeepsTheOldTokensIfTheFileIsBroken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	file := load(t, path) // missing
	token, err := accounts.CreateToken(path, accounts.TokenSpec{User: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	if knows(file, token) {
		t.Error("a token is known before Reload")
	}
	if err := file.Reload(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := file.Reload(); err == nil {
		t.Error("a broken file is read")
	}
	if !knows(file, token) {
		t.Error("after a broken file the token is unknown")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := file.Reload(); err != nil {
		t.Fatal(err)
	}
	if knows(file, token) {
		t.Error("a token of a file that was removed is accepted")
	}
}

func TestChangesAtOneTimeLoseNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for made := 0; made < 5; {
				_, err := accounts.CreateToken(path, accounts.TokenSpec{User: "alice"})
				switch {
				case err == nil:
					made++
				case errors.Is(err, fs.ErrExist):
					runtime.Gosched() // another one was first
				default:
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if list, err := accounts.ListTokens(path); err != nil || len(list) != 40 {
		t.Errorf("%d tokens, %v", len(list), err)
	}
	if left, err := filepath.Glob(path + ".*"); err != nil || len(left) != 0 {
		t.Errorf("left over: %q, %v", left, err)
	}
}

func TestALeftoverOfACrashIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	if err := os.WriteFile(path+".new", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := accounts.CreateToken(path, accounts.TokenSpec{User: "alice"})
	if err == nil || !strings.Contains(err.Error(), "remove "+path+".new") {
		t.Errorf("%v", err)
	}
}

func TestTokensAreReloadedWhileTheyAreUsed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	token, err := accounts.CreateToken(path, accounts.TokenSpec{User: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	file := load(t, path)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 500 {
				if !knows(file, token) {
					t.Error("the token is unknown")
					return
				}
			}
		})
	}
	for range 50 {
		if err := file.Reload(); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
}
