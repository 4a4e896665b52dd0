package origin

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/blob"
	"github.com/goweir/weir/internal/credential"
	"github.com/goweir/weir/internal/source/flaw"
)

// Fetch fetches an artifact of a module from where its modules are, which is a module
// proxy.
func (c *Client) Fetch(ctx context.Context, r Repository, n artifact.Name) (*blob.Blob, error) {
	u := *r.Location
	u.Path, u.RawPath = strings.TrimSuffix(u.Path, "/")+"/"+n.Key(), ""
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	resp, err := c.get(ctx, &u)
	if err != nil {
		cancel()
		return nil, err
	}
	host := u.Hostname()
	body := &proxyBody{inner: resp.Body, from: host, kind: n.Kind, left: n.Kind.MaxSize(), cancel: cancel}
	if resp.StatusCode != http.StatusOK {
		defer body.Close()
		return nil, artifact.FromStatus(host, resp.StatusCode, c.plainText(ctx, resp, body), 0)
	}
	check := flaw.Check(n, false, func(err error) error { return badAnswer(host, err) })
	return &blob.Blob{Info: blob.Info{Size: resp.ContentLength}, Body: body, Check: check}, nil
}

func badAnswer(host string, err error) error {
	return &artifact.Error{Class: artifact.ErrBadUpstream, Reason: artifact.Clean(host+" sent something else than was asked for: "+err.Error(), maxReason)}
}

// plainText returns the beginning of an answer if it is for people, without the
// credential that it may repeat.
func (c *Client) plainText(ctx context.Context, resp *http.Response, body io.Reader) string {
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != "text/plain" {
		return ""
	}
	text, _ := io.ReadAll(io.LimitReader(body, 1<<10)) // as far as it comes
	shown, _, err := credential.For(ctx, resp.Request.URL, c.o.Credentials)
	if err != nil {
		return ""
	}
	return shown.Redact(string(text))
}

// A proxyBody is a body that ends with an error when it is too large, or breaks
// off.
type proxyBody struct {
	inner  io.ReadCloser
	from   string
	kind   artifact.Kind
	left   int64 // bytes that may still come
	cancel context.CancelFunc
}

// Read implements io.Reader.
func (b *proxyBody) Read(p []byte) (int, error) {
	n, err := b.inner.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, badAnswer(b.from, flaw.TooLarge(b.kind))
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return n, artifact.FromTransport(b.from, err)
	}
	return n, err
}

// Close implements io.Closer.
func (b *proxyBody) Close() error {
	b.cancel()
	return b.inner.Close()
}
