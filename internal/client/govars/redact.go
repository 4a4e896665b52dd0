package govars

import "strings"

// hidden stands for what could be a secret.
const hidden = "xxxxx"

// Redact is the value of a variable as it may be shown: without all from the first URL up
// to the last @, and without queries. It hides rather too much than too little, since a
// password may hold any character.
func Redact(name, value string) string {
	if at := strings.LastIndexByte(value, '@'); at >= 0 {
		start := 0
		if i := strings.Index(value[:at], "://"); i >= 0 {
			start = i + len("://")
		}
		value = value[:start] + hidden + value[at:]
	}
	pieces := strings.Split(value, "://")
	for i, piece := range pieces {
		// In a pattern a question mark stands for any letter.
		if i > 0 || name == "GOPROXY" {
			pieces[i] = withoutQuery(piece)
		}
	}
	return strings.Join(pieces, "://")
}

func withoutQuery(url string) string {
	before, query, ok := strings.Cut(url, "?")
	if !ok {
		return url
	}
	end := strings.IndexAny(query, ",|")
	if end < 0 {
		end = len(query)
	}
	return before + "?" + hidden + query[end:]
}
