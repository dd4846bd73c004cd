package iouring

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

const (
	defaultEntries      = 256
	defaultCloseTimeout = 10 * time.Second
	maxEntries          = 32768
)

// needed is what every supported kernel says of itself.
const needed = syscalls.IORING_FEAT_SINGLE_MMAP | syscalls.IORING_FEAT_NODROP | syscalls.IORING_FEAT_SUBMIT_STABLE |
	syscalls.IORING_FEAT_EXT_ARG | syscalls.IORING_FEAT_CQE_SKIP

// params turns options into what io_uring_setup(2) takes, without the flags that are wished for.
func (o *Options) params() (syscalls.IoUringParams, error) {
	p := syscalls.IoUringParams{Flags: o.Flags}
	if o.Entries < 0 || o.Entries > maxEntries || o.CQEntries < 0 || o.CQEntries > 2*maxEntries {
		return p, fmt.Errorf("iouring: %d entries, %d completions: %w", o.Entries, o.CQEntries, unix.EINVAL)
	}
	if o.CQEntries > 0 {
		p.Flags |= syscalls.IORING_SETUP_CQSIZE
		p.CQEntries = uint32(o.CQEntries)
	}
	if o.Flags&syscalls.IORING_SETUP_SQ_AFF != 0 {
		p.SQThreadCPU = uint32(o.SQThreadCPU)
	}
	if o.SQThreadIdle > 0 {
		p.SQThreadIdle = uint32(min((o.SQThreadIdle+time.Millisecond-1)/time.Millisecond, math.MaxUint32))
	}
	if o.Attach != nil {
		if o.Attach.fd < 0 {
			return p, fmt.Errorf("iouring: attach: %w", ErrClosed)
		}
		p.Flags |= syscalls.IORING_SETUP_ATTACH_WQ
		p.WQFD = uint32(o.Attach.fd)
	}
	const alone = syscalls.IORING_SETUP_SINGLE_ISSUER | syscalls.IORING_SETUP_DEFER_TASKRUN
	if o.Flags&alone != 0 && !o.SingleIssuer {
		return p, fmt.Errorf("iouring: %v without Options.SingleIssuer: %w", o.Flags&alone, unix.EINVAL)
	}
	return p, nil
}

// setup makes the ring's descriptor, with as many of the wished flags as the kernel takes. It tries them all at
// once, and where the kernel says EINVAL without the one that came last to kernels, and so on: a kernel that has
// a flag has all that are older.
func (r *Ring) setup(entries uint32, p syscalls.IoUringParams, wanted []wish) error {
	given := make([]bool, len(wanted))
	for drop := 0; ; drop++ {
		try := p
		for i, w := range wanted {
			given[i] = i >= drop && try.Flags&w.instead == 0
			if given[i] {
				try.Flags |= w.flag
			}
		}
		err := r.create(entries, try)
		if err == nil {
			for i, w := range wanted {
				why := w.why
				if !given[i] {
					why = "refused by this kernel: " + why
				}
				if i >= drop && w.instead != 0 && !given[i] {
					why = fmt.Sprintf("not needed beside %v", w.instead)
				}
				r.choices = append(r.choices, Choice{w.flag, given[i], why})
			}
			return nil
		}
		if !errors.Is(err, unix.EINVAL) || drop == len(wanted) {
			return explainSetup(err, p.Flags)
		}
	}
}

// create makes the descriptor and maps the queues.
func (r *Ring) create(entries uint32, p syscalls.IoUringParams) error {
	if p.Flags&syscalls.IORING_SETUP_NO_MMAP != 0 {
		if err := r.bring(entries, &p); err != nil {
			return err
		}
	}
	fd, err := syscalls.IoUringSetup(entries, &p)
	if err != nil {
		r.memory.unmap()
		return err
	}
	r.fd, r.enterFD = fd, fd
	if p.Flags&syscalls.IORING_SETUP_REGISTERED_FD_ONLY != 0 {
		r.fd, r.registered = -1, true
		r.enterFlags = syscalls.IORING_ENTER_REGISTERED_RING
	}
	r.params = p
	if p.Features&needed != needed {
		err = fmt.Errorf("iouring: this kernel is older than 5.19: it lacks %v: %w", needed&^p.Features, errors.ErrUnsupported)
	}
	if err == nil && p.Flags&syscalls.IORING_SETUP_NO_MMAP == 0 {
		err = r.memory.mapRings(fd, &p)
	}
	if err == nil {
		err = r.memory.doNotFork()
	}
	if err != nil {
		r.closeDescriptor()
		r.memory.unmap()
		return err
	}
	r.attach(&p)
	return nil
}

// explainSetup says what an error of io_uring_setup(2) mostly means.
func explainSetup(err error, flags syscalls.IoUringSetupFlags) error {
	switch {
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w: %s", err, whyForbidden())
	case errors.Is(err, unix.ENOSYS):
		return fmt.Errorf("%w: the kernel was built without io_uring, or a seccomp filter hides it", err)
	case errors.Is(err, unix.ENOMEM):
		return fmt.Errorf("%w: %s", err, whyNoMemory())
	case errors.Is(err, unix.EINVAL) && flags != 0:
		return fmt.Errorf("%w: this kernel lacks one of %v, or they do not go together", err, flags)
	}
	return err
}

// whyForbidden says who forbids io_uring: the sysctl, or else a filter, which nobody can ask.
func whyForbidden() string {
	text, err := os.ReadFile("/proc/sys/kernel/io_uring_disabled")
	switch value := strings.TrimSpace(string(text)); {
	case err == nil && value == "2":
		return "the sysctl kernel.io_uring_disabled forbids it to everybody"
	case err == nil && value == "1":
		return "the sysctl kernel.io_uring_disabled forbids it without CAP_SYS_ADMIN to who is not in kernel.io_uring_group"
	}
	return "a seccomp filter forbids it, as those of containers do, or a security module"
}

// whyNoMemory says what ENOMEM of locked memory mostly is.
func whyNoMemory() string {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit); err != nil || limit.Cur == unix.RLIM_INFINITY {
		return "out of memory"
	}
	return fmt.Sprintf("probably RLIMIT_MEMLOCK, which is %d bytes for all rings and registered buffers of this user", limit.Cur)
}
