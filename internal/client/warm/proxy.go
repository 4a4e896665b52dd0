// Package warm brings what a project needs to where its builds look for it: into a
// proxy, by asking it for every file, or into the module cache of this machine, by the
// go command.
//
// It promises that a file counts as brought only when all of it has come and was found
// to be right, and that doing it again fetches only what is missing. Of modules that
// the settings of the go command keep from proxies, no proxy hears.
package warm

import (
	"context"
	"os"
	"slices"

	"golang.org/x/mod/semver"

	"github.com/goweir/weir/internal/artifact"
	"github.com/goweir/weir/internal/client/closure"
	"github.com/goweir/weir/internal/client/modsource"
	"github.com/goweir/weir/internal/source"
)

// atOnce is how many files a proxy is asked for at one time.
const atOnce = 16

// Proxy asks a proxy for every file, and through it the checksum database for the
// records, so that it has them afterwards. Modules are those of a GOPROXY that names
// only this proxy.
func Proxy(ctx context.Context, c *closure.Closure, m *modsource.Modules, progress func(closure.Progress)) (closure.Report, error) {
	p := &proxy{source: c.Guard(m.Verified(), m.Unproven)}
	names := c.Artifacts()
	report, err := closure.Work(ctx, slices.Values(names), len(names), atOnce, p.ask, progress)
	if err == nil {
		err = p.askForNewest(ctx, c)
	}
	return report, err
}

// askForNewest asks for the newest versions of the modules that are required directly,
// with their go.mod files, which say what is retracted or deprecated. No build needs
// them, so that it is no failure when they cannot be had.
func (p *proxy) askForNewest(ctx context.Context, c *closure.Closure) error {
	_, err := closure.Work(ctx, slices.Values(c.Direct), len(c.Direct), atOnce, func(ctx context.Context, path string) []closure.Result {
		if version, err := p.newest(ctx, path); err == nil {
			info := artifact.Name{Kind: artifact.Info, Module: path, Version: version}
			p.ask(ctx, info)
			p.ask(ctx, info.Sibling(artifact.Mod))
		}
		return nil
	}, nil)
	return err
}

// newest is what the go command takes for the newest version, before it knows what is
// retracted.
func (p *proxy) newest(ctx context.Context, path string) (string, error) {
	list, err := modsource.Read(ctx, p.source, artifact.Name{Kind: artifact.List, Module: path})
	if err != nil {
		return "", err
	}
	versions := source.Versions(path, list)
	released := slices.DeleteFunc(slices.Clone(versions), func(v string) bool { return semver.Prerelease(v) != "" })
	for _, of := range [][]string{released, versions} {
		if len(of) > 0 {
			return of[len(of)-1], nil
		}
	}
	latest := artifact.Name{Kind: artifact.Latest, Module: path}
	data, err := modsource.Read(ctx, p.source, latest)
	if err != nil {
		return "", err
	}
	info, err := source.ParseInfo(latest, data)
	return info.Version, err
}

type proxy struct{ source source.Source }

// ask fetches a file whole and forgets it.
func (p *proxy) ask(ctx context.Context, n artifact.Name) []closure.Result {
	r := closure.Result{Name: n}
	if n.Kind == artifact.Zip {
		r.Bytes, r.Err = p.askZip(ctx, n)
		return []closure.Result{r}
	}
	data, err := modsource.Read(ctx, p.source, n)
	r.Bytes, r.Err = int64(len(data)), err
	return []closure.Result{r}
}

func (p *proxy) askZip(ctx context.Context, n artifact.Name) (int64, error) {
	f, err := os.CreateTemp("", "weir-warm-*.zip")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	return modsource.Save(ctx, p.source, n, f)
}
