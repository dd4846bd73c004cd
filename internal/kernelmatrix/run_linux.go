package kernelmatrix

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"sync"
	"time"
)

const (
	// partLimit is what a machine may take to boot or to shut down, and what a
	// step may take beyond its own timeout until the guest has ended it.
	partLimit = 5 * time.Minute
	// guestGrace is how long the guest leaves a test binary after the timeout
	// that the binary itself should have kept, by printing its goroutines.
	guestGrace = 15 * time.Second
	// baseMemory is what a guest has beyond its initramfs, in MiB.
	baseMemory = 1024
)

// Options say which machines to boot and what is in them.
type Options struct {
	Kernels  []Kernel
	Cache    Cache
	Programs []string      // in PATH of the guest: static binaries or main packages
	BPFFS    bool          // mount bpffs on /sys/fs/bpf
	Timeout  time.Duration // of each package's tests, or of the program
	Progress io.Writer     // told what takes long
}

// An initramfs is a built image of one architecture, and a disk.
type initramfs struct {
	file   string
	disk   string // beside it
	memory int64  // that a machine with it needs, in MiB
}

// A Selection says which tests to run and how.
type Selection struct {
	Packages []string // patterns, as the go command has them
	Run      string   // as the -run flag of "go test"
	Args     []string // for every test binary
	Parallel int      // machines at a time; at least 1
}

// Test runs the selected tests in every kernel, and reports each result. The
// error is one of the host; tests and machines that fail are in the report.
func Test(ctx context.Context, opt Options, sel Selection, report *Report) (err error) {
	kernels, err := opt.get(ctx)
	if err != nil {
		return err
	}
	work, done, err := newWork()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	suites := make(map[string]*suite)
	for _, k := range kernels {
		if suites[k.Arch] != nil {
			continue
		}
		s, err := opt.buildSuite(ctx, k.Arch, filepath.Join(work, k.Arch), sel)
		if err != nil {
			return err
		}
		suites[k.Arch] = s
	}
	slots := make(chan struct{}, max(sel.Parallel, 1))
	errs := make([]error, len(kernels))
	var wg sync.WaitGroup
	for i, k := range kernels {
		slots <- struct{}{}
		wg.Go(func() {
			errs[i] = suites[k.Arch].test(ctx, k, report)
			<-slots
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// tools finds out at once whether a machine can be made of kernels, and not after minutes of building.
func tools(kernels ...Kernel) error {
	for _, k := range kernels {
		program, _ := machine{kernel: CachedKernel{Kernel: k}}.qemu()
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("no emulator for %s here (Debian has qemu-system-x86 and qemu-system-arm): %w", k.Name(), err)
		}
	}
	_, err := mkfs()
	return err
}

// get has every kernel in the cache.
func (opt Options) get(ctx context.Context) ([]CachedKernel, error) {
	if err := tools(opt.Kernels...); err != nil {
		return nil, err
	}
	var kernels []CachedKernel
	for _, k := range opt.Kernels {
		ck, err := opt.Cache.Get(ctx, k, opt.Progress)
		if err != nil {
			return nil, err
		}
		kernels = append(kernels, ck)
	}
	return kernels, nil
}

// build packs a guest with the job, the programs and what add adds.
func (opt Options) build(ctx context.Context, goarch, dir string, job Job, add func(*image) error) (initramfs, error) {
	guest, err := buildProgram(ctx, goarch, dir, guestPackage)
	if err != nil {
		return initramfs{}, err
	}
	im, err := newImage(guest, job)
	if err != nil {
		return initramfs{}, err
	}
	for _, program := range opt.Programs {
		bin, err := buildProgram(ctx, goarch, dir, program)
		if err != nil {
			return initramfs{}, err
		}
		if err := im.file(path.Join(guestBin, filepath.Base(bin)), bin, 0o755); err != nil {
			return initramfs{}, err
		}
	}
	if err := add(im); err != nil {
		return initramfs{}, err
	}
	file, disk := filepath.Join(dir, "initramfs"), filepath.Join(dir, "disk")
	packed, err := im.writeFile(file)
	if err != nil {
		return initramfs{}, err
	}
	if err := makeDisk(ctx, disk); err != nil {
		return initramfs{}, err
	}
	return initramfs{file, disk, baseMemory + (im.size()+packed)>>20}, nil
}

// A suite is the tests of one architecture, built and packed.
type suite struct {
	initramfs
	packages []testPackage
	limit    time.Duration // of each package
}

func (opt Options) buildSuite(ctx context.Context, goarch, dir string, sel Selection) (*suite, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	packages, err := listTests(ctx, goarch, dir, sel.Packages)
	if err != nil {
		return nil, err
	}
	if len(packages) == 0 {
		return nil, errors.New("no package with tests among those named")
	}
	fmt.Fprintf(opt.Progress, "building the tests of %d packages for %s\n", len(packages), goarch)
	if err := buildTests(ctx, goarch, dir, packages); err != nil {
		return nil, err
	}
	job := Job{BPFFS: opt.BPFFS}
	for _, p := range packages {
		argv := []string{p.guestBinary(), "-test.v=test2json", "-test.paniconexit0", "-test.timeout=" + opt.Timeout.String()}
		if sel.Run != "" {
			argv = append(argv, "-test.run="+sel.Run)
		}
		job.Steps = append(job.Steps, Step{Argv: append(argv, sel.Args...), Dir: p.guestDir(), Limit: opt.Timeout + guestGrace})
	}
	initramfs, err := opt.build(ctx, goarch, dir, job, func(im *image) error {
		for _, p := range packages {
			if err := im.file(p.guestBinary(), p.binary, 0o755); err != nil {
				return err
			}
		}
		return im.source(packages[0].root)
	})
	if err != nil {
		return nil, err
	}
	return &suite{initramfs, packages, opt.Timeout + partLimit}, nil
}

// test boots one kernel and reports what its tests did. The error is ctx's.
func (s *suite) test(ctx context.Context, k CachedKernel, report *Report) error {
	var parser *testParser
	c := console{
		start: func(step int) {
			rel := s.packages[step].rel
			parser = newTestParser(func(r Result) { report.result(k.Name(), rel, r) })
		},
		data: func(_ int, _ Kind, data []byte) { parser.Write(data) },
		exit: func(_ int, exit Exit) { parser.close(exit.cause()) },
	}
	began := time.Now()
	m := machine{kernel: k, initramfs: s.file, disk: s.disk, memory: s.memory, limit: s.limit, silence: silenceLimit}
	trouble := c.verdict(m.run(ctx, c.follow))
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if c.step >= 0 {
		parser.close("the machine ended during this test")
	}
	for _, p := range s.packages[min(c.next, len(s.packages)):] {
		report.result(k.Name(), p.rel, Result{Outcome: Fail, Elapsed: -1, Output: []byte("not run: the machine ended before")})
	}
	report.kernel(k.Name(), c.release, time.Since(began), trouble)
	return nil
}

// cause says why a step did not succeed, or nothing where it did.
func (e Exit) cause() string {
	switch {
	case e.Limit:
		return "ended at its time limit: " + e.State
	case e.Code != 0:
		return e.State
	}
	return ""
}

// Exec runs one program (a static binary or a main package) with arguments in
// one kernel, and returns its exit status as a shell has it: 128 + n after
// signal n. Where the machine failed, there is an error.
func Exec(
	ctx context.Context, opt Options, k Kernel, program string, args []string, stdout, stderr io.Writer,
) (code int, err error) {
	if err := tools(k); err != nil {
		return 0, err
	}
	ck, err := opt.Cache.Get(ctx, k, opt.Progress)
	if err != nil {
		return 0, err
	}
	work, done, err := newWork()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, done()) }()
	bin, err := buildProgram(ctx, k.Arch, work, program)
	if err != nil {
		return 0, err
	}
	inside := path.Join(guestBin, filepath.Base(bin))
	job := Job{BPFFS: opt.BPFFS, Steps: []Step{
		{Argv: append([]string{inside}, args...), Dir: "/root", Split: true, Limit: opt.Timeout},
	}}
	ram, err := opt.build(ctx, k.Arch, work, job, func(im *image) error { return im.file(inside, bin, 0o755) })
	if err != nil {
		return 0, err
	}
	var writeErr error
	var limited bool
	c := console{
		data: func(_ int, kind Kind, data []byte) {
			w := stdout
			if kind == KindErr {
				w = stderr
			}
			if _, err := w.Write(data); err != nil && writeErr == nil {
				writeErr = err
			}
		},
		exit: func(_ int, e Exit) { code, limited = e.Code, e.Limit },
	}
	m := machine{
		kernel: ck, initramfs: ram.file, disk: ram.disk, memory: ram.memory,
		limit: opt.Timeout + partLimit, silence: silenceLimit,
	}
	err = c.verdict(m.run(ctx, c.follow))
	if err == nil && limited {
		err = fmt.Errorf("%s was ended after %v", program, opt.Timeout)
	}
	if err != nil {
		return 0, fmt.Errorf("kernel %s: %w", k.Name(), err)
	}
	return code, writeErr
}
