package syscalls

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"structs"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// CloneFlags say what a child shares with its parent and which namespaces are new for it: unix.CLONE_NEWUTS and the
// like.
type CloneFlags uint64

// String names the flags as <linux/sched.h> does.
func (f CloneFlags) String() string {
	return flagNames(uint64(f), []flagName{
		{unix.CLONE_NEWTIME, "CLONE_NEWTIME"}, {unix.CLONE_VM, "CLONE_VM"}, {unix.CLONE_FS, "CLONE_FS"},
		{unix.CLONE_FILES, "CLONE_FILES"}, {unix.CLONE_SIGHAND, "CLONE_SIGHAND"}, {unix.CLONE_PIDFD, "CLONE_PIDFD"},
		{unix.CLONE_PTRACE, "CLONE_PTRACE"}, {unix.CLONE_VFORK, "CLONE_VFORK"}, {unix.CLONE_PARENT, "CLONE_PARENT"},
		{unix.CLONE_THREAD, "CLONE_THREAD"}, {unix.CLONE_NEWNS, "CLONE_NEWNS"}, {unix.CLONE_SYSVSEM, "CLONE_SYSVSEM"},
		{unix.CLONE_SETTLS, "CLONE_SETTLS"}, {unix.CLONE_PARENT_SETTID, "CLONE_PARENT_SETTID"},
		{unix.CLONE_CHILD_CLEARTID, "CLONE_CHILD_CLEARTID"}, {unix.CLONE_UNTRACED, "CLONE_UNTRACED"},
		{unix.CLONE_CHILD_SETTID, "CLONE_CHILD_SETTID"}, {unix.CLONE_NEWCGROUP, "CLONE_NEWCGROUP"},
		{unix.CLONE_NEWUTS, "CLONE_NEWUTS"}, {unix.CLONE_NEWIPC, "CLONE_NEWIPC"}, {unix.CLONE_NEWUSER, "CLONE_NEWUSER"},
		{unix.CLONE_NEWPID, "CLONE_NEWPID"}, {unix.CLONE_NEWNET, "CLONE_NEWNET"}, {unix.CLONE_IO, "CLONE_IO"},
		{unix.CLONE_CLEAR_SIGHAND, "CLONE_CLEAR_SIGHAND"}, {unix.CLONE_INTO_CGROUP, "CLONE_INTO_CGROUP"},
	})
}

// cloneAllowed are the flags with which a child is a process of its own, whatever happens to either. CLONE_VM would
// let it run in Go's memory, CLONE_FILES in the same table of descriptors, CLONE_PARENT would have nobody here to
// wait for it.
const cloneAllowed = unix.CLONE_FS | unix.CLONE_SYSVSEM | unix.CLONE_IO | unix.CLONE_UNTRACED |
	unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET |
	unix.CLONE_NEWCGROUP | unix.CLONE_NEWTIME | unix.CLONE_INTO_CGROUP | unix.CLONE_PIDFD | unix.CLONE_CLEAR_SIGHAND

// CloneOptions describe a child process of [Clone3]. The zero value is one that exits at once with success.
type CloneOptions struct {
	// Flags are of unix.CLONE_NEW..., CLONE_INTO_CGROUP (since 5.7), CLONE_FS, CLONE_SYSVSEM, CLONE_IO and
	// CLONE_UNTRACED. CLONE_PIDFD and CLONE_CLEAR_SIGHAND are always added.
	Flags CloneFlags
	// ExitSignal is sent to the parent when the child ends; 0 is SIGCHLD. For another, waiting needs unix.WALL.
	ExitSignal unix.Signal
	// SetTID are the child's process IDs, in its own PID namespace first and in that one's ancestors after; none are
	// those that the kernel takes. Needs CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN. Since 5.5.
	SetTID []int32
	// Cgroup is the descriptor of a directory of a cgroup v2, with CLONE_INTO_CGROUP.
	Cgroup int

	// Path is the program that the child executes, a path and not looked up in PATH; empty means none.
	Path string
	// Args are its arguments, the first its name; none means Path alone.
	Args []string
	// Env is its environment, "NAME=value" each; none means an empty one.
	Env []string

	// ExitCode is what a child without a program exits with.
	ExitCode uint8
}

// cloneArgs is the kernel's struct clone_args, as of 5.7.
type cloneArgs struct {
	_          structs.HostLayout
	Flags      uint64
	PidFD      uint64
	ChildTID   uint64
	ParentTID  uint64
	ExitSignal uint64
	Stack      uint64
	StackSize  uint64
	TLS        uint64
	SetTID     uint64
	SetTIDSize uint64
	Cgroup     uint64
}

// A cloneCall is all that the assembly needs on both sides. It is on the heap, which the child has a copy of.
type cloneCall struct {
	args cloneArgs
	all  Sigset // what is blocked meanwhile
	//lint:ignore U1000 the assembly's
	old    Sigset // what was before
	path   *byte  // nil: exit
	argv   **byte
	env    **byte
	errors uint64 // descriptor to which the child writes the next field
	//lint:ignore U1000 the assembly's
	errno   uint64 // of a failed execve
	code    uint64
	pidfd   int32
	setTIDs []int32
}

// cloneChild blocks all signals, makes the child, and unblocks them. The child never leaves it.
func cloneChild(c *cloneCall) (pid uintptr, errno unix.Errno)

// Clone3 makes a child process, which executes a program or exits, and returns its process ID and a pidfd of it
// (close-on-exec), which the caller closes. The caller waits for the child, once: unix.Waitid with unix.P_PIDFD, or
// os.FindProcess.
//
// A child of a Go program has one thread and a copy of the memory of a runtime that needs many, so no Go code can run
// in it. Here it runs a dozen instructions of assembly, with all signals blocked and no handler set: it gives the
// signal mask back that the caller had and executes the program, or exits. A program that cannot be executed is an
// error here: the child tells by a pipe, and is gone when Clone3 returns. The scheduler is not told of the call, which
// takes the longer the more memory is mapped, to copy the page tables (1 ms for some 100 MiB): a garbage collection waits.
//
// The program inherits all descriptors that are not close-on-exec, the working directory, ignored signals and the
// mask of the calling thread, and the limit of open files as the Go runtime has raised it (os/exec puts it back). No
// other goroutine can leak a descriptor into it: syscall.ForkLock is held.
//
// Errors of clone3: EINVAL, flags that are not allowed, or not together; EEXIST, a process of SetTID exists; EPERM;
// EAGAIN, a limit of processes; ENOMEM; EBADF, EBUSY or EACCES, Cgroup; EOPNOTSUPP, a cgroup that may have none; ENOSYS,
// E2BIG, an older kernel. Errors of execve: ENOENT, EACCES, ENOEXEC, E2BIG and others. Nothing returns EINTR: what
// follows the birth of a child, reading the pipe and waiting for one that failed, is taken up again.
//
// Since Linux 5.5. CLONE_NEW... but CLONE_NEWUSER need CAP_SYS_ADMIN. Safe for concurrent use. clone3 is in clone(2),
// <linux/sched.h>.
func Clone3(o CloneOptions) (pid, pidfd int, err error) {
	c, err := o.prepare()
	if err != nil {
		return 0, -1, err
	}
	if c.path == nil {
		return c.clone()
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return 0, -1, os.NewSyscallError("pipe2", err)
	}
	defer unix.Close(pipe[0])
	c.errors = uint64(pipe[1])
	pid, pidfd, err = c.clone()
	_ = unix.Close(pipe[1])
	if err != nil {
		return 0, -1, err
	}
	// The kernel closes the child's end of the pipe when it executes the program.
	if errno := readErrno(pipe[0]); errno != 0 {
		reap(pidfd)
		_ = unix.Close(pidfd)
		return 0, -1, os.NewSyscallError("execve", errno)
	}
	return pid, pidfd, nil
}

// prepare checks the options and lays out what the assembly needs.
func (o CloneOptions) prepare() (*cloneCall, error) {
	invalid := func(why string) (*cloneCall, error) {
		return nil, fmt.Errorf("%s: %w", why, os.NewSyscallError("clone3", unix.EINVAL))
	}
	switch {
	case o.Flags&^cloneAllowed != 0:
		return invalid(fmt.Sprintf("a child of Go cannot have %v", o.Flags&^cloneAllowed))
	case o.ExitSignal < 0 || o.ExitSignal > 64:
		return invalid(fmt.Sprintf("no signal %d", int(o.ExitSignal)))
	case o.Path == "" && (len(o.Args) != 0 || len(o.Env) != 0):
		return invalid("arguments or environment, and no program")
	case o.Flags&unix.CLONE_INTO_CGROUP != 0 && o.Cgroup < 0:
		return nil, os.NewSyscallError("clone3", unix.EBADF)
	}
	c := &cloneCall{all: ^Sigset(0), code: uint64(o.ExitCode), pidfd: -1}
	heap(unsafe.Pointer(c)) // below are addresses of its fields
	c.args.Flags = uint64(o.Flags) | unix.CLONE_PIDFD | unix.CLONE_CLEAR_SIGHAND
	c.args.ExitSignal = uint64(o.ExitSignal)
	if o.ExitSignal == 0 {
		c.args.ExitSignal = uint64(unix.SIGCHLD)
	}
	c.args.PidFD = uint64(uintptr(unsafe.Pointer(&c.pidfd)))
	if len(o.SetTID) != 0 {
		c.setTIDs = append(c.setTIDs, o.SetTID...)
		c.args.SetTID = uint64(uintptr(unsafe.Pointer(&c.setTIDs[0])))
		c.args.SetTIDSize = uint64(len(c.setTIDs))
	}
	if o.Flags&unix.CLONE_INTO_CGROUP != 0 {
		c.args.Cgroup = uint64(o.Cgroup)
	}
	if o.Path == "" {
		return c, nil
	}
	if len(o.Args) == 0 {
		o.Args = []string{o.Path}
	}
	path, err := unix.BytePtrFromString(o.Path)
	if err != nil {
		return invalid("the path has a zero byte")
	}
	argv, err := syscall.SlicePtrFromStrings(o.Args)
	if err != nil {
		return invalid("an argument has a zero byte")
	}
	env, err := syscall.SlicePtrFromStrings(o.Env)
	if err != nil {
		return invalid("the environment has a zero byte")
	}
	c.path, c.argv, c.env = path, &argv[0], &env[0]
	return c, nil
}

func (c *cloneCall) clone() (pid, pidfd int, err error) {
	syscall.ForkLock.Lock()
	r, errno := cloneChild(c)
	syscall.ForkLock.Unlock()
	runtime.KeepAlive(c) // its arguments point to itself by numbers
	if errno != 0 {
		return 0, -1, os.NewSyscallError("clone3", errno)
	}
	return int(r), int(c.pidfd), nil
}

// readErrno returns what a child wrote into the pipe, 0 for nothing.
func readErrno(fd int) unix.Errno {
	var b [8]byte
	for {
		n, err := unix.Read(fd, b[:])
		switch {
		case err == unix.EINTR:
		case n == len(b):
			return unix.Errno(binary.NativeEndian.Uint64(b[:]))
		default:
			return 0
		}
	}
}

// reap waits for a child that has failed, and is about to exit.
func reap(pidfd int) {
	for unix.Waitid(unix.P_PIDFD, pidfd, nil, unix.WEXITED|unix.WALL, nil) == unix.EINTR {
	}
}
