package daemon

import (
	"context"
	"runtime"
	"testing"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/gosumdb"
	"github.com/goweir/weir/internal/source"
	"github.com/goweir/weir/internal/store/mem"
	"github.com/goweir/weir/internal/sumdb"
)

func database(t *testing.T, remote source.Source) *sumdb.Database {
	t.Helper()
	config, err := gosumdb.Parse("sum.golang.org")
	if err != nil {
		t.Fatal(err)
	}
	db, err := sumdb.New(config, sumdb.Options{Remotes: []sumdb.Remote{{Source: remote}}, Store: mem.New(1 << 20)})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func TestDatabasesThatNobodyUsesAreForgotten(t *testing.T) {
	var all databases
	defer all.close()
	for range 10 {
		all.add(database(t, source.Refuse(artifact.ErrTimeout)))
		for all[len(all)-1].Value() != nil {
			runtime.GC()
		}
	}
	if len(all) > 1 {
		t.Errorf("%d databases are remembered", len(all))
	}
}

// The lookup alone keeps its database: nobody else knows it any more.
func TestTheEndOfDatabasesEndsLookupsUnderWay(t *testing.T) {
	asked, got := make(chan struct{}), make(chan error, 1)
	hangs := source.Func(func(ctx context.Context, _ artifact.Name) (*blob.Blob, error) {
		close(asked)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	var all databases
	lookup := func() {
		db := database(t, hangs)
		all.add(db)
		go func() {
			_, err := db.Mirror().Fetch(context.Background(), artifact.Name{Kind: artifact.SumLookup, DB: db.Name(), Module: "example.com/a", Version: "v1.0.0"})
			got <- err
		}()
	}
	lookup()
	<-asked
	runtime.GC()
	all.close()
	if err := <-got; artifact.Class(err) != artifact.ErrUnavailable {
		t.Errorf("the lookup ends with %v", err)
	}
}
