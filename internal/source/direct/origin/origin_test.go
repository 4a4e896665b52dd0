package origin

import (
	"net/http"
	"testing"

	"github.com/goweir/weir/internal/artifact"
)

func TestARepositoryIsProbedAsWhatItIs(t *testing.T) {
	f := newForge(t)
	for host, question := range map[string]string{"git.example.com": "service=git-upload-pack", "hg.example.com": "cmd=capabilities"} {
		f.Handle(host, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.RawQuery != question { // neither knows anything of the other
				http.NotFound(w, r)
			}
		}))
	}
	for _, mod := range []string{"git.example.com/x.git", "hg.example.com/x.hg"} {
		r, _, err := fromPath(mod)
		if err != nil {
			t.Fatal(err)
		}
		if err := newClient(t, f).Probe(patient(t), r); err != nil {
			t.Errorf("%s: %v", mod, err)
		}
	}
}

func TestOnlyTheHostProvesThatThereIsNoRepository(t *testing.T) {
	for status, class := range map[int]error{
		404: artifact.ErrNotFound, 410: artifact.ErrNotFound, 401: artifact.ErrBadUpstream, 403: artifact.ErrBadUpstream, 500: artifact.ErrBadUpstream, 503: artifact.ErrUnavailable,
	} {
		f := newForge(t)
		f.Handle("github.com/a/b", always(status, "no"))
		r, _, err := fromPath("github.com/a/b")
		if err != nil {
			t.Fatal(err)
		}
		if err := newClient(t, f).Probe(patient(t), r); artifact.Class(err) != class {
			t.Errorf("%d: %v", status, err)
		}
	}
}
