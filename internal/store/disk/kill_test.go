//go:build unix

package disk

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/goweir/weir/internal/store"
)

// The test binary runs itself with this variable set, to be a process that
// stores artifacts until it kills itself.
const victimEnv = "WEIR_DISK_TEST_VICTIM"

func TestMain(m *testing.M) {
	if plan := os.Getenv(victimEnv); plan != "" {
		if err := runVictim(plan); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

const (
	killRounds = 200 // unless WEIR_KILL_ROUNDS says otherwise
	killLanes  = 4   // that run side by side, each in a folder of its own
	puts       = 60  // of a victim's worker, at most
	workers    = 2   // of a victim
)

// A plan says at which point, when it is passed for which time, a victim dies.
type plan struct {
	dir   string
	round int
	point string
	pass  int64
	seed  uint64
}

func (p plan) String() string {
	return fmt.Sprintf("%d|%d|%d|%s|%s", p.round, p.pass, p.seed, p.point, p.dir)
}

func parsePlan(s string) (p plan, err error) {
	f := strings.SplitN(s, "|", 5)
	if len(f) != 5 {
		return p, fmt.Errorf("plan %q", s)
	}
	p.point, p.dir = f[3], f[4]
	_, err = fmt.Sscan(strings.Join(f[:3], " "), &p.round, &p.pass, &p.seed)
	return p, err
}

// runVictim stores artifacts and says so, until it dies as planned.
func runVictim(s string) error {
	p, err := parsePlan(s)
	if err != nil {
		return err
	}
	st, err := reopen(p.dir)
	if err != nil {
		return err
	}
	var passed atomic.Int64
	die := func(point string) {
		if point == p.point && passed.Add(1) == p.pass {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	onPoint.Store(&die)
	errs := make(chan error)
	for w := range workers {
		go func() { errs <- storeSome(st, p, w) }()
	}
	for range workers {
		err = errors.Join(err, <-errs)
	}
	return errors.Join(err, errors.New("the victim has survived"))
}

// reopen opens a store as the process that comes after a victim does, and checks
// that nothing unfinished is left.
func reopen(dir string) (*Store, error) {
	s, err := Open(dir, Options{})
	if err != nil {
		return nil, err
	}
	temps, err := filepath.Glob(filepath.Join(dir, ".weir", "tmp", "*"))
	if err != nil || len(temps) > 0 {
		return nil, fmt.Errorf("temporary files are left after Open: %q, %v", temps, err)
	}
	return s, nil
}

// storeSome is a worker of a victim. Before each Put it announces the version of
// the key, and after it acknowledges it.
func storeSome(s *Store, p plan, worker int) error {
	random := rand.New(rand.NewPCG(p.seed, uint64(worker)))
	for i := range puts {
		version := p.round*puts + i
		key, o := fmt.Sprintf("example.com/w%d/@v/list", worker), store.PutOptions{}
		if random.IntN(3) > 0 {
			key = fmt.Sprintf("example.com/w%d/r%d/@v/v1.%d.%d.zip", worker, p.round, random.IntN(3), i)
			o.IfAbsent = true
		}
		fmt.Printf("begin %s %d\n", key, version)
		if err := putVersion(s, key, version, o, random.IntN(2) == 0); err != nil {
			return err
		}
		fmt.Printf("acked %s %d\n", key, version)
	}
	return nil
}

func putVersion(s *Store, key string, version int, o store.PutOptions, lent bool) error {
	ctx := context.Background()
	body := content(key, version)
	if !lent {
		_, err := s.Put(ctx, key, bytes.NewReader(body), o)
		return err
	}
	f, err := s.Spool()
	if err != nil {
		return err
	}
	if _, err := f.Write(body); err != nil {
		return err
	}
	_, err = s.Put(ctx, key, f, o)
	return errors.Join(err, s.Unspool(f))
}

// content is the body of a version of a key: its first line says which, its
// length and bytes follow from that.
func content(key string, version int) []byte {
	head := fmt.Sprintf("%s %d\n", key, version)
	random := rand.NewChaCha8([32]byte([]byte(fmt.Sprintf("%32.32s", fmt.Sprint(version, key)))))
	body := make([]byte, len(head)+int(random.Uint64()%100_000))
	copy(body, head)
	random.Read(body[len(head):])
	return body
}

// A ledger is what is known of each key: the version that must be there, since
// it was acknowledged or has been seen, and those begun since, one of which may
// be there instead.
type ledger map[string]*record

type record struct {
	must  int // -1: none
	begun []int
}

func (l ledger) of(key string) *record {
	if l[key] == nil {
		l[key] = &record{must: -1}
	}
	return l[key]
}

// read notes what a victim said, and returns the keys it spoke of.
func (l ledger) read(output []byte) (keys map[string]bool, err error) {
	keys = map[string]bool{}
	for lines := bufio.NewScanner(bytes.NewReader(output)); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) != 3 {
			return nil, fmt.Errorf("a victim said %q", lines.Text())
		}
		version, err := strconv.Atoi(f[2])
		if err != nil {
			return nil, err
		}
		keys[f[1]] = true
		switch r := l.of(f[1]); f[0] {
		case "begin":
			r.begun = append(r.begun, version)
		case "acked":
			*r = record{must: version}
		}
	}
	return keys, nil
}

// verify checks a key against what is known of it, and notes what is there.
func (l ledger) verify(dir, key string) error {
	r := l.of(key)
	version, err := storedVersion(dir, key)
	if err != nil {
		return err
	}
	if version != r.must && !slices.Contains(r.begun, version) {
		return fmt.Errorf("%s holds version %d, want %d or one of %d (-1 is no entry)", key, version, r.must, r.begun)
	}
	*r = record{must: version}
	return nil
}

// storedVersion returns which version of a key is stored, -1 for none, and an
// error for one that is not whole. It reads the file, since with a store open
// this process would share the store's lock with the victims it forks.
func storedVersion(dir, key string) (version int, err error) {
	data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(key)))
	if errors.Is(err, fs.ErrNotExist) {
		return -1, nil
	}
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(data), "\n")
	if _, err := fmt.Sscanf(line, key+" %d", &version); err != nil {
		return 0, fmt.Errorf("%s begins with %.60q: %w", key, line, err)
	}
	if !bytes.Equal(data, content(key, version)) {
		return 0, fmt.Errorf("%s: version %d is not whole: %d bytes", key, version, len(data))
	}
	return version, nil
}

// TestKilledProcessLeavesEntriesWholeOrAbsent kills a process that stores
// artifacts, at points and times chosen by a seed.
func TestKilledProcessLeavesEntriesWholeOrAbsent(t *testing.T) {
	seed := fromEnv(t, "WEIR_KILL_SEED", rand.Uint64())
	rounds := int(fromEnv(t, "WEIR_KILL_ROUNDS", killRounds))
	begun := time.Now()
	var lanes sync.WaitGroup
	var ledgers [killLanes]ledger
	var dirs [killLanes]string
	for i := range killLanes {
		ledgers[i], dirs[i] = ledger{}, t.TempDir()
		lanes.Go(func() { killInTurn(t, ledgers[i], dirs[i], rounds/killLanes, rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
	lanes.Wait()
	keys := 0
	for i, l := range ledgers {
		if err := inspect(l, dirs[i]); err != nil {
			t.Errorf("at the end: %v", err)
		}
		keys += len(l)
	}
	t.Logf("WEIR_KILL_SEED=%d: %d kills, %d keys, %v", seed, rounds, keys, time.Since(begun).Round(time.Millisecond))
}

func killInTurn(t *testing.T, l ledger, dir string, rounds int, random *rand.Rand) {
	first := random.IntN(len(points))
	for round := range rounds {
		p := plan{dir: dir, round: round, point: points[(first+round)%len(points)], pass: 1 + random.Int64N(6), seed: random.Uint64()}
		if err := kill(t.Context(), l, p); err != nil {
			t.Errorf("round %d, killed %s (pass %d): %v", round, p.point, p.pass, err)
			return
		}
	}
}

func fromEnv(t *testing.T, name string, value uint64) uint64 {
	v := os.Getenv(name)
	if v == "" {
		return value
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// kill runs a victim and checks what it leaves of the keys it spoke of.
func kill(ctx context.Context, l ledger, p plan) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), victimEnv+"="+p.String())
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	output, err := cmd.Output()
	if cmd.ProcessState == nil {
		return err
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL || ctx.Err() != nil {
		return fmt.Errorf("the victim did not die as planned: %v: %s", err, errOut.Bytes())
	}
	touched, err := l.read(output)
	if err != nil {
		return err
	}
	for key := range touched {
		if err := l.verify(p.dir, key); err != nil {
			return err
		}
	}
	return nil
}

// inspect checks all keys of a folder, and that there are no others.
func inspect(l ledger, dir string) error {
	s, err := reopen(dir)
	if err != nil {
		return err
	}
	defer s.Close()
	for key := range l {
		if err := l.verify(dir, key); err != nil {
			return err
		}
	}
	for info, err := range s.List(context.Background(), "") {
		if err != nil {
			return err
		}
		if l[info.Key] == nil {
			return fmt.Errorf("%s is listed, nobody has put it", info.Key)
		}
	}
	return nil
}
