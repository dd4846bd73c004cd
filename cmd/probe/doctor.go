package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ring3-go/ring3/cmd/probe/internal/doctor"
)

func newDoctor(out *output) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Say what this host allows, and how to get the rest",
		Long: `doctor tries what probe needs of this host, one thing after another, and says for each what the kernel
answered, what works less for it, and how to change that. It needs no privilege and changes nothing.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{errors.New("doctor: takes no arguments")}
			}
			return nil
		},
		RunE: func(*cobra.Command, []string) error { return examine(out) },
	}
}

// doctorRecord is ring3/doctor/v1; docs/json/doctor.schema.json says what each field means.
type doctorRecord struct {
	Schema string         `json:"schema"`
	Kernel string         `json:"kernel"`
	Arch   string         `json:"arch"`
	Checks []doctor.Check `json:"checks"`
}

// examine makes the checks and reports them; after SIGINT or SIGTERM, those made so far.
func examine(out *output) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	checks := doctor.Examine(ctx)
	if !out.json {
		return doctor.Text(out.data, checks, out.colored)
	}
	r := doctorRecord{Schema: "ring3/doctor/v1", Kernel: kernelRelease(), Arch: runtime.GOARCH, Checks: []doctor.Check{}}
	for _, c := range checks {
		c.Name, c.Evidence = clean(c.Name), clean(c.Evidence)
		c.Consequence, c.Remedy = clean(c.Consequence), clean(c.Remedy)
		r.Checks = append(r.Checks, c)
	}
	return out.record(r)
}

// kernelRelease is what "uname -r" says.
func kernelRelease() string {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "unknown"
	}
	return clean(string(bytes.TrimSpace(b)))
}
