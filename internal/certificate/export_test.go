package certificate

import (
	"golang.org/x/crypto/acme/autocert"

	"github.com/goweir/weir/internal/store"
)

// Cache is the cache of ACME in a store.
func Cache(s store.Store) autocert.Cache { return cache{s} }
