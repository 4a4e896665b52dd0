package render

import (
	"strings"

	"github.com/goweir/weir/internal/client/profile"
)

func docker(in Input) (string, error) {
	const secret = "    --mount=type=secret,id=netrc \\\n"
	const modules = "    --mount=type=cache,target=" + modCache + " \\\n"
	return "# syntax=docker/dockerfile:1\n" +
		in.notes("# ") +
		"# docker build --secret id=netrc,src=$HOME/.netrc .\n" +
		"FROM " + image + " AS build\n" +
		lines(in.elsewhere(), func(s profile.Setting) string { return "ENV " + s.Name + "=" + quoteDocker(s.Value) }) +
		"ENV GOCACHE=" + buildCache + "\n" +
		"RUN " + linkNetrc + "\n" +
		"WORKDIR /src\n" +
		"COPY go.mod go.sum* ./\n" +
		"RUN --mount=type=cache,target=" + modCache + " \\\n" + secret +
		"    go mod download\n" +
		"COPY . .\n" +
		"RUN --mount=type=cache,target=" + buildCache + " \\\n" + modules + secret +
		"    CGO_ENABLED=0 go build -o /out/ ./...\n" +
		"\n" +
		"# Nothing of the stage above is in the image: no settings, no caches, no secrets.\n" +
		"FROM scratch\n" +
		"COPY --from=build /out/ /bin/\n", nil
}

func compose(in Input) (string, error) {
	return in.notes("# ") +
		"services:\n" +
		"  build:\n" +
		"    image: " + image + "\n" +
		"    working_dir: /src\n" +
		"    command: [sh, -c, \"" + linkNetrc + " && go build ./...\"]\n" +
		"    environment:\n" +
		"      GOCACHE: " + buildCache + "\n" +
		lines(in.elsewhere(), func(s profile.Setting) string { return "      " + s.Name + ": " + quoteCompose(s.Value) }) +
		"    volumes:\n" +
		"      - .:/src\n" +
		"      - go-modules:" + modCache + "\n" +
		"      - go-build:" + buildCache + "\n" +
		"    secrets: [netrc]\n" +
		"volumes:\n" +
		"  go-modules: {}\n" +
		"  go-build: {}\n" +
		"secrets:\n" +
		"  netrc:\n" +
		"    file: ${NETRC:-${HOME}/.netrc}\n", nil
}

func kubernetes(in Input) (string, error) {
	name := "go-env-" + dnsName(in.name())
	return in.notes("# ") +
		"# Once: kubectl create secret generic go-netrc --from-file=netrc=$HOME/.netrc\n" +
		"apiVersion: v1\n" +
		"kind: ConfigMap\n" +
		"metadata:\n" +
		"  name: " + name + "\n" +
		"data:\n" +
		"  GOCACHE: " + buildCache + "\n" +
		lines(in.elsewhere(), func(s profile.Setting) string { return "  " + s.Name + ": " + quoteJSON(s.Value) }) +
		"---\n" +
		"apiVersion: batch/v1\n" +
		"kind: Job\n" +
		"metadata:\n" +
		"  name: go-build\n" +
		"spec:\n" +
		"  template:\n" +
		"    spec:\n" +
		"      restartPolicy: Never\n" +
		"      containers:\n" +
		"        - name: build\n" +
		"          image: " + image + "\n" +
		"          workingDir: /src\n" +
		"          command: [sh, -c, \"" + linkNetrc + " && go build ./...\"]\n" +
		"          envFrom:\n" +
		"            - configMapRef:\n" +
		"                name: " + name + "\n" +
		"          volumeMounts:\n" +
		"            - {name: src, mountPath: /src}\n" +
		"            - {name: cache, mountPath: " + modCache + ", subPath: mod}\n" +
		"            - {name: cache, mountPath: " + buildCache + ", subPath: build}\n" +
		"            - {name: netrc, mountPath: " + netrc + ", subPath: netrc, readOnly: true}\n" +
		"      volumes:\n" +
		"        - name: src  # put your sources here\n" +
		"          emptyDir: {}\n" +
		"        - name: cache  # take a PersistentVolumeClaim to keep it\n" +
		"          emptyDir: {}\n" +
		"        - name: netrc\n" +
		"          secret: {secretName: go-netrc, defaultMode: 0400}\n", nil
}

// section is a section of YAML, or nothing where it would be empty.
func section(head string, settings []profile.Setting, line func(profile.Setting) string) string {
	if len(settings) == 0 {
		return ""
	}
	return head + lines(settings, line)
}

// dnsName is the name of a profile as the name of an object of Kubernetes.
//
// Source: RFC 1123, section 2.1.
func dnsName(name string) string {
	const most = 50
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
	return strings.Trim(name[:min(len(name), most)], "-")
}
