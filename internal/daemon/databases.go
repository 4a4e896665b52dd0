package daemon

import (
	"slices"
	"weak"

	"github.com/goweir/weir/internal/sumdb"
)

// databases are the checksum databases that may be in use. A reload makes new ones,
// but fetches under way go on with those they began with; only the garbage collector
// knows when the last of them has ended.
type databases []weak.Pointer[sumdb.Database]

// add takes in a new one, and forgets those that nobody uses any more.
func (d *databases) add(db *sumdb.Database) {
	unused := func(p weak.Pointer[sumdb.Database]) bool { return p.Value() == nil }
	*d = append(slices.DeleteFunc(*d, unused), weak.Make(db))
}

// close ends the lookups of all and waits for them.
func (d *databases) close() {
	for _, p := range *d {
		if db := p.Value(); db != nil {
			db.Close()
		}
	}
}
