package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"
)

// asked, set to "json" or "text", makes this binary examine the host instead of testing: tests run it
// as a child with other privileges.
const asked = "RING3_DOCTOR"

func TestMain(m *testing.M) {
	form := os.Getenv(asked)
	if form == "" {
		os.Exit(m.Run())
	}
	if err := examineAs(form); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func examineAs(form string) error {
	if err := confine(); err != nil {
		return err
	}
	checks := Examine(context.Background())
	if form == "json" {
		return json.NewEncoder(os.Stdout).Encode(checks)
	}
	return Text(os.Stdout, checks, false)
}
