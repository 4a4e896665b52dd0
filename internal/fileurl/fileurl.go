// Package fileurl turns URLs of files into the paths of this system, and back.
//
// On Windows what follows the third slash is the path where a drive begins it
// (file:///C:/modules), and so is what begins with two further slashes and names
// a host (file:////host/share). What such a URL may hold besides a path, it
// leaves to others to say.
//
// Source: cmd/go/internal/web/url.go, urlToFilePath and urlFromFilePath.
package fileurl

import (
	"net/url"
	"runtime"
	"strings"
)

const windows = runtime.GOOS == "windows"

// Path returns the path that a URL of a file names.
func Path(u *url.URL) string { return pathOf(u.Path, windows) }

func pathOf(path string, windows bool) string {
	if !windows {
		return path
	}
	if rest := strings.TrimPrefix(path, "/"); hasDrive(rest) || strings.HasPrefix(rest, "//") {
		path = rest
	}
	if len(path) == len("C:") && hasDrive(path) {
		path += "/" // without it, the folder of that drive that somebody is in
	}
	return strings.ReplaceAll(path, "/", `\`)
}

func hasDrive(path string) bool {
	return len(path) >= len("C:") && path[1] == ':' && ('a' <= path[0]|0x20 && path[0]|0x20 <= 'z')
}

// Of returns the URL of an absolute path. It can be an entry of a GOPROXY list:
// commas are escaped, too.
func Of(path string) *url.URL { return urlOf(path, windows) }

func urlOf(path string, windows bool) *url.URL {
	if windows {
		path = strings.ReplaceAll(path, `\`, "/")
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	u := &url.URL{Scheme: "file", Path: path}
	if strings.Contains(path, ",") {
		u.RawPath = strings.ReplaceAll(u.EscapedPath(), ",", "%2C")
	}
	return u
}
