package render

import (
	"strings"

	"github.com/goweir/weir/internal/client/profile"
)

func github(in Input) (string, error) {
	return in.notes("# ") +
		"# .github/workflows/go.yml; credentials: the secret NETRC of the repository, if there is one\n" +
		"name: go\n" +
		"on: [push, pull_request]\n" +
		"permissions:\n" +
		"  contents: read\n" +
		"jobs:\n" +
		"  build:\n" +
		"    runs-on: ubuntu-latest\n" +
		section("    env:\n", in.elsewhere(), func(s profile.Setting) string { return "      " + s.Name + ": " + quoteGitHub(s.Value) }) +
		"    steps:\n" +
		"      - uses: actions/checkout@v4\n" +
		"      - name: Credentials\n" +
		"        env:\n" +
		"          NETRC: ${{ secrets.NETRC }}\n" +
		"        run: |\n" +
		"          if [ -n \"$NETRC\" ]; then\n" +
		"            umask 077\n" +
		"            printf '%s\\n' \"$NETRC\" >\"$HOME/.netrc\"\n" +
		"          fi\n" +
		"      - uses: actions/setup-go@v5  # keeps the caches, too\n" +
		"        with:\n" +
		"          go-version-file: go.mod\n" +
		"      - run: go build ./...\n" +
		"      - run: go test ./...\n", nil
}

// gitlab has values with a dollar taken as they are, which takes more words.
func gitlab(in Input) (string, error) {
	return in.notes("# ") +
		"# .gitlab-ci.yml; credentials: a CI/CD variable NETRC of type File, if there is one\n" +
		"build:\n" +
		"  image: " + image + "\n" +
		"  variables:\n" +
		"    GOMODCACHE: $CI_PROJECT_DIR/.go/mod\n" +
		"    GOCACHE: $CI_PROJECT_DIR/.go/build\n" +
		lines(in.elsewhere(), gitlabVariable) +
		"  cache:\n" +
		"    key:\n" +
		"      files: [go.sum]\n" +
		"    paths: [.go/]\n" +
		"  before_script:\n" +
		"    - if [ -n \"${NETRC:-}\" ]; then install -m 600 \"$NETRC\" \"$HOME/.netrc\"; fi\n" +
		"  script:\n" +
		"    - go build ./...\n" +
		"    - go test ./...\n", nil
}

// Source: https://docs.gitlab.com/ci/yaml/#variablesexpand
func gitlabVariable(s profile.Setting) string {
	if !strings.Contains(s.Value, "$") {
		return "    " + s.Name + ": " + quoteJSON(s.Value)
	}
	return "    " + s.Name + ":\n      value: " + quoteJSON(s.Value) + "\n      expand: false"
}

// jenkins keeps the caches beside the workspace, since the user of the container may write
// nowhere else.
func jenkins(in Input) (string, error) {
	return in.notes("// ") +
		"// Jenkinsfile; credentials: a secret file with the id go-netrc\n" +
		"pipeline {\n" +
		"  agent {\n" +
		"    docker { image '" + image + "' }\n" +
		"  }\n" +
		"  environment {\n" +
		"    GOMODCACHE = \"${WORKSPACE_TMP}/go-mod\"\n" +
		"    GOCACHE = \"${WORKSPACE_TMP}/go-build\"\n" +
		lines(in.elsewhere(), func(s profile.Setting) string { return "    " + s.Name + " = " + quoteJenkins(s.Value) }) +
		"  }\n" +
		"  stages {\n" +
		"    stage('build') {\n" +
		"      steps {\n" +
		"        withCredentials([file(credentialsId: 'go-netrc', variable: 'NETRC')]) {\n" +
		"          sh 'go build ./...'\n" +
		"          sh 'go test ./...'\n" +
		"        }\n" +
		"      }\n" +
		"    }\n" +
		"  }\n" +
		"}\n", nil
}
