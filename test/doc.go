// Package e2e tests Weir from outside: a real weir process, the real go
// command, and upstreams that do what real ones do on bad days.
//
// TestScripts runs the stories in cmd/weir/testdata/script. The other tests are
// named after the attacks (A1, A2, …) and faults (F1, F3, …) that they try.
//
// The tests are a module of their own, so that what only they need stays out
// of the product.
package e2e
