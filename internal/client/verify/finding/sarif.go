package finding

import "net/url"

// The part of SARIF 2.1.0 that is used here.
//
// Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
type (
	// A SARIF is a report for tools that show findings of analyses, such as code hosts.
	SARIF struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		Results     []sarifResult     `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version,omitempty"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string       `json:"id"`
		ShortDescription sarifText    `json:"shortDescription"`
		Help             *sarifText   `json:"help,omitempty"`
		Default          sarifDefault `json:"defaultConfiguration"`
	}
	sarifDefault struct {
		Level Severity `json:"level"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	// An invocation is successful when the tool could look at everything.
	sarifInvocation struct {
		ExecutionSuccessful bool `json:"executionSuccessful"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     Severity        `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
)

// ToSARIF is findings in the form of SARIF 2.1.0. version is that of this program, and
// place turns a name of a file into one that is relative to where the reader looks from.
func ToSARIF(findings []Finding, version string, place func(name string) string) SARIF {
	driver := sarifDriver{Name: "weir verify", Version: version, InformationURI: "https://github.com/goweir/weir"}
	index := map[string]int{}
	for i, rule := range Rules() {
		index[rule.ID] = i
		driver.Rules = append(driver.Rules, sarifRule{rule.ID, sarifText{rule.Title}, helpOf(rule), sarifDefault{rule.Severity}})
	}
	one := sarifRun{Tool: sarifTool{driver}, Invocations: []sarifInvocation{{ExecutionSuccessful: true}}, Results: []sarifResult{}}
	for _, f := range findings {
		if f.Rule == NotChecked && f.Severity == Error {
			one.Invocations[0].ExecutionSuccessful = false
		}
		uri := url.URL{Path: place(f.File)}
		one.Results = append(one.Results, sarifResult{
			RuleID: f.Rule, RuleIndex: index[f.Rule], Level: f.Severity, Message: sarifText{message(f)},
			Locations: []sarifLocation{{sarifPhysical{sarifArtifact{uri.String()}, sarifRegion{f.Line}}}},
		})
	}
	return SARIF{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{one}}
}

func helpOf(rule Rule) *sarifText {
	if rule.Hint == "" {
		return nil
	}
	return &sarifText{rule.Hint}
}

// message is what a person reads of a finding.
func message(f Finding) string {
	if f.Hint == "" {
		return f.Message
	}
	return f.Message + ". What to do: " + f.Hint
}
