// Package archtest holds agreements about the source tree as tests: which
// package may import which, what every package must have, and what may stand
// in no file at all. It has no code but tests, and nothing imports it.
//
// The table of allowed imports is in table_test.go; docs/design.md draws the
// same picture for people.
package archtest
