package upstream

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/source/sourcetest"
)

func TestTroubleOfOursIsNoFaultOfTheUpstream(t *testing.T) {
	inMemory := blob.NewSpool(1<<20, nil)
	defer inMemory.Close()
	inMemory.Write(sourcetest.Zip(mod, version, 100))
	if err := check("upstream", zipName, false)(t.Context(), inMemory); err == nil || artifact.Class(err) != nil {
		t.Errorf("a zip in memory: %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	spool, err := sourcetest.Receive(t, zipName, &blob.Blob{Info: blob.Info{Size: -1}, Body: io.NopCloser(bytes.NewReader(sourcetest.Zip(mod, version, 100)))})
	if err != nil {
		t.Fatal(err)
	}
	if err := check("upstream", zipName, false)(ctx, spool); !errors.Is(err, context.Canceled) || artifact.Class(err) != nil {
		t.Errorf("an ended context: %v", err)
	}
}

func TestAFlawIsToldInWordsThatCanBeShown(t *testing.T) {
	var data bytes.Buffer
	w := zip.NewWriter(&data)
	if _, err := w.Create("\x1b[31m\n" + mod + "@" + version + "/go.mod"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for n, body := range map[artifact.Name][]byte{zipName: data.Bytes(), modName: []byte("<html>\x1b[31m")} {
		_, err := sourcetest.Receive(t, n, &blob.Blob{
			Info: blob.Info{Size: -1}, Body: io.NopCloser(bytes.NewReader(body)), Check: check("upstream", n, false),
		})
		wantClass(t, n.String(), err, artifact.ErrBadUpstream)
	}
}
