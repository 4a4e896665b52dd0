package modfiles

import "testing"

func FuzzParseSums(f *testing.F) {
	f.Add([]byte("example.com/a v1.0.0 h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n<<<<<<< x\n\na b\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		lines, findings := parseSums("go.sum", data)
		seen := map[int]bool{}
		for _, l := range lines {
			if l.At < 1 || seen[l.At] || l.Module.Path == "" || l.Module.Version == "" {
				t.Errorf("%+v", l)
			}
			seen[l.At] = true
		}
		for _, f := range findings {
			if f.Line < 1 || f.Message == "" || f.Rule == "" || seen[f.Line] {
				t.Errorf("%+v", f)
			}
		}
	})
}
