package sumdb

import "github.com/goweir/weir/internal/gosumdb"

// Config says which checksum database is meant.
type Config = gosumdb.Config

// ParseDatabase is gosumdb.Parse.
func ParseDatabase(value string) (Config, error) { return gosumdb.Parse(value) }
