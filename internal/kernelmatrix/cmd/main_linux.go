package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ring3-go/ring3/internal/kernelmatrix"
)

func main() {
	// SIGPIPE too: who reads the report may end before it does, and what was built is to be removed then as well.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	ctx, cancel := withParent(ctx)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	cancel()
	stop()
	os.Exit(code)
}

// config is the command line.
type config struct {
	kernelmatrix.Options
	kernelmatrix.Selection // its Args, after "--", are those of the program too

	list    bool
	verbose bool
	bin     string
}

// Exit codes, as the project's command has them.
const (
	exitError = 1
	exitUsage = 2
)

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cfg, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "kernelmatrix:", err)
		return exitUsage
	}
	code, err := cfg.do(ctx, stdout, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "kernelmatrix:", err)
		return exitError
	}
	return code
}

func parse(args []string, stderr io.Writer) (*config, error) {
	cfg := &config{Options: kernelmatrix.Options{Progress: stderr}}
	if i := slices.Index(args, "--"); i >= 0 {
		args, cfg.Args = args[:i], args[i+1:]
	}
	flags := flag.NewFlagSet("kernelmatrix", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: kernelmatrix [flags] [packages] [-- test binary flags]\n"+
			"       kernelmatrix [flags] -bin PROGRAM [-- arguments]")
		flags.PrintDefaults()
	}
	kernels := flags.String("kernel", "", "comma-separated `names` of kernels, such as amd64-6.1 (default all)")
	cache := flags.String("cache", "", "`directory` of fetched kernels (default ring3/kernels in the user's cache)")
	with := flags.String("with", "", "comma-separated static binaries or main `packages` to put in the guest's /bin")
	flags.StringVar(&cfg.bin, "bin", "", "run this static binary or main package (`program`) in place of tests")
	flags.StringVar(&cfg.Run, "run", "", "run only tests that match `regexp`")
	flags.IntVar(&cfg.Parallel, "parallel", 1, "`number` of machines at a time, at most 2")
	flags.DurationVar(&cfg.Timeout, "timeout", 10*time.Minute, "`limit` of each package's tests, or of the program")
	flags.BoolVar(&cfg.BPFFS, "bpffs", false, "mount bpffs on /sys/fs/bpf")
	flags.BoolVar(&cfg.verbose, "v", false, "print passed subtests and all output too")
	flags.BoolVar(&cfg.list, "list", false, "list the kernels, and fetch and boot none")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if *with != "" {
		cfg.Programs = strings.Split(*with, ",")
	}
	cfg.Packages = flags.Args()
	return cfg, cfg.check(*kernels, *cache)
}

// check completes the configuration.
func (cfg *config) check(kernels, cache string) (err error) {
	if cfg.Kernels, err = kernelmatrix.SelectKernels(kernels); err != nil {
		return err
	}
	if cache == "" {
		cfg.Cache, err = kernelmatrix.DefaultCache()
	} else {
		cfg.Cache.Dir, err = filepath.Abs(cache)
	}
	if err != nil {
		return err
	}
	for _, pattern := range cfg.Packages {
		if strings.HasPrefix(pattern, "-") {
			return fmt.Errorf("flag %s after a package: flags come first", pattern)
		}
	}
	switch {
	case cfg.Parallel < 1 || cfg.Parallel > 2:
		return errors.New("-parallel is 1 or 2")
	case cfg.Timeout <= 0:
		return errors.New("-timeout must be positive")
	case cfg.bin != "" && len(cfg.Packages) > 0:
		return errors.New("-bin and packages exclude each other; arguments come after --")
	case cfg.bin != "" && cfg.Run != "":
		return errors.New("-bin and -run exclude each other")
	}
	if len(cfg.Packages) == 0 {
		cfg.Packages = []string{"./..."}
	}
	return nil
}

func (cfg *config) do(ctx context.Context, stdout, stderr io.Writer) (int, error) {
	switch {
	case cfg.list:
		return 0, cfg.printKernels(stdout)
	case cfg.bin != "":
		return cfg.exec(ctx, stdout, stderr)
	}
	report := kernelmatrix.NewReport(stdout, cfg.verbose)
	testErr := kernelmatrix.Test(ctx, cfg.Options, cfg.Selection, report)
	if testErr != nil {
		return exitError, testErr
	}
	totals, err := report.Close()
	switch {
	case err != nil:
		return exitError, err
	case totals == kernelmatrix.Totals{}:
		return exitError, errors.New("no test ran")
	case totals.Failed > 0:
		return exitError, nil
	}
	return 0, nil
}

// exec runs the program in each kernel, and returns the first exit status that
// is not 0.
func (cfg *config) exec(ctx context.Context, stdout, stderr io.Writer) (int, error) {
	first := 0
	for _, k := range cfg.Kernels {
		if len(cfg.Kernels) > 1 {
			fmt.Fprintf(stderr, "kernel %s:\n", k.Name())
		}
		code, err := kernelmatrix.Exec(ctx, cfg.Options, k, cfg.bin, cfg.Args, stdout, stderr)
		if err != nil {
			return exitError, err
		}
		if first == 0 {
			first = code
		}
	}
	return first, nil
}

func (cfg *config) printKernels(stdout io.Writer) error {
	for _, k := range cfg.Kernels {
		state := "not fetched"
		ck, err := cfg.Cache.Lookup(k)
		switch {
		case err == nil:
			state = ck.Package
		case errors.Is(err, kernelmatrix.ErrDamaged):
			state = "damaged"
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
		if _, err := fmt.Fprintf(stdout, "%-11s %s\n", k.Name(), state); err != nil {
			return err
		}
	}
	return nil
}
