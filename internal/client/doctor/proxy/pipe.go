package proxy

import (
	"slices"

	"github.com/goweir/weir/internal/client/doctor/advice"
	"github.com/goweir/weir/internal/client/doctor/check"
)

// Mitigate turns trouble of an entry of GOPROXY into a warning where "|" leads on to
// another entry that is well. Silence leads nowhere: the go command waits for ever.
func Mitigate(all []*Proxy, findings []check.Finding) {
	for i := range findings {
		f := &findings[i]
		if f.Entry == 0 || f.State != check.Bad || advice.IsSilence(f.Kind) || !all[f.Entry-1].FallBackOnError || !anyWellAfter(all, f.Entry, findings) {
			continue
		}
		f.State = check.Warn
		f.Evidence = append(f.Evidence, "after \"|\" the go command goes on to the next entry of GOPROXY")
	}
}

// anyWellAfter reports whether an entry after one is well.
func anyWellAfter(all []*Proxy, entry int, findings []check.Finding) bool {
	for i := entry; i < len(all); i++ {
		bad := slices.ContainsFunc(findings, func(f check.Finding) bool { return f.Entry == i+1 && f.State == check.Bad })
		if !bad {
			return true
		}
		if !all[i].FallBackOnError {
			return false
		}
	}
	return false
}
