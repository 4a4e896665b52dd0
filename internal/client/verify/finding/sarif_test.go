package finding_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/goweir/weir/internal/client/verify/finding"
)

// sarifObjects are the properties that SARIF 2.1.0 gives to the objects that are used
// here, by the names of their sections; those that it requires begin with "!". A value
// names the object that the property holds, or that its array holds.
var sarifObjects = map[string]map[string]string{
	"sarifLog":               {"$schema": "uri", "!version": "2.1.0", "!runs": "[run"},
	"run":                    {"!tool": "tool", "invocations": "[invocation", "results": "[result"},
	"tool":                   {"!driver": "toolComponent"},
	"toolComponent":          {"!name": "string", "version": "string", "informationUri": "uri", "rules": "[reportingDescriptor"},
	"reportingDescriptor":    {"!id": "string", "shortDescription": "message", "help": "message", "defaultConfiguration": "reportingConfiguration"},
	"reportingConfiguration": {"level": "level"},
	"invocation":             {"!executionSuccessful": "bool"},
	"result":                 {"ruleId": "string", "ruleIndex": "number", "level": "level", "!message": "message", "locations": "[location"},
	"message":                {"!text": "string"},
	"location":               {"physicalLocation": "physicalLocation"},
	"physicalLocation":       {"artifactLocation": "artifactLocation", "region": "region"},
	"artifactLocation":       {"uri": "uri-reference"},
	"region":                 {"startLine": "line"},
}

// checkSARIF reports where a value is not the object that it should be.
func checkSARIF(at, kind string, value any) (problems []string) {
	if inner, ok := strings.CutPrefix(kind, "["); ok {
		all, ok := value.([]any)
		if !ok {
			return []string{at + " is no array"}
		}
		for i, v := range all {
			problems = append(problems, checkSARIF(fmt.Sprintf("%s[%d]", at, i), inner, v)...)
		}
		return problems
	}
	properties, ok := sarifObjects[kind]
	if !ok {
		if !isSARIFValue(kind, value) {
			return []string{fmt.Sprintf("%s is %v, not a %s", at, value, kind)}
		}
		return nil
	}
	object, ok := value.(map[string]any)
	if !ok {
		return []string{at + " is no object"}
	}
	for name := range properties {
		if required, ok := strings.CutPrefix(name, "!"); ok && object[required] == nil {
			problems = append(problems, at+" has no "+required)
		}
	}
	for name, v := range object {
		inner := properties[name] + properties["!"+name]
		if inner == "" {
			problems = append(problems, at+" has a property "+name)
			continue
		}
		problems = append(problems, checkSARIF(at+"."+name, inner, v)...)
	}
	return problems
}

func isSARIFValue(kind string, value any) bool {
	text, isText := value.(string)
	number, isNumber := value.(float64)
	switch kind {
	case "string":
		return isText && text != ""
	case "number":
		return isNumber && number >= 0
	case "line":
		return isNumber && number >= 1
	case "bool":
		_, ok := value.(bool)
		return ok
	case "level":
		return slices.Contains([]string{"none", "note", "warning", "error"}, text)
	case "uri", "uri-reference":
		u, err := url.Parse(text)
		return err == nil && isText && text != "" && (kind == "uri") == u.IsAbs()
	default:
		return text == kind
	}
}

func TestFindingsAreSARIF(t *testing.T) {
	var findings []finding.Finding
	for _, rule := range finding.Rules() {
		findings = append(findings, finding.New(rule.ID, "go.sum", 0, "a message about %s", "example.com/a"))
	}
	place := func(name string) string { return "some folder/" + name }
	data, err := json.Marshal(finding.ToSARIF(findings, "v1.2.3", place))
	if err != nil {
		t.Fatal(err)
	}
	var log map[string]any
	if err := json.Unmarshal(data, &log); err != nil {
		t.Fatal(err)
	}
	for _, problem := range checkSARIF("log", "sarifLog", log) {
		t.Error(problem)
	}
	run := log["runs"].([]any)[0].(map[string]any)
	rules := run["tool"].(map[string]any)["driver"].(map[string]any)["rules"].([]any)
	results := run["results"].([]any)
	if len(results) != len(findings) {
		t.Errorf("%d results: %s", len(results), data)
	}
	for _, r := range results {
		result := r.(map[string]any)
		rule := rules[int(result["ruleIndex"].(float64))].(map[string]any)
		if rule["id"] != result["ruleId"] {
			t.Errorf("rule %v is %v", result["ruleId"], rule["id"])
		}
	}
	if !strings.Contains(string(data), `"uri":"some%20folder/go.sum"`) || !strings.Contains(string(data), `"startLine":1`) {
		t.Errorf("no place: %s", data)
	}
	if !strings.Contains(string(data), `"executionSuccessful":false`) {
		t.Errorf("something could not be checked: %s", data)
	}
	clean, err := json.Marshal(finding.ToSARIF(nil, "", place))
	if err != nil || !strings.Contains(string(clean), `"results":[]`) || !strings.Contains(string(clean), `"executionSuccessful":true`) {
		t.Errorf("no finding: %s, %v", clean, err)
	}
}
