package doctor

import "fmt"

// A Status is the outcome of a check. It marshals to JSON as it stands.
type Status string

// The statuses.
const (
	OK      Status = "ok"      // works, as tried
	Limited Status = "limited" // works in part, or could not be found out
	No      Status = "no"      // absent from this kernel, or refused to this process
)

// A Check is one thing that was tried.
type Check struct {
	Name        string `json:"name"`        // what was tried; unique and fit for scripts
	Status      Status `json:"status"`      // how it came out
	Evidence    string `json:"evidence"`    // what the kernel answered
	Consequence string `json:"consequence"` // what works less for it; empty when OK
	Remedy      string `json:"remedy"`      // one line: a command or setting; empty when OK, or where there is none
}

func passed(format string, args ...any) Check {
	return Check{Status: OK, Evidence: fmt.Sprintf(format, args...)}
}

// limited and refused make a check that is not OK; means and remedy are its Consequence and Remedy.
func limited(evidence, means, remedy string) Check {
	return Check{Status: Limited, Evidence: evidence, Consequence: means, Remedy: remedy}
}

func refused(evidence, means, remedy string) Check {
	return Check{Status: No, Evidence: evidence, Consequence: means, Remedy: remedy}
}
