package features

import (
	"os"
	"os/exec"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// cloneArgs is a struct clone_args.
type cloneArgs struct {
	flags, pidfd, childTID, parentTID, exitSignal, stack, stackSize, tls, setTID, setTIDSize, cgroup uint64
}

// refusedWithClone makes a clone3 that cannot succeed: a child would run on as a second of this program.
func refusedWithClone(want unix.Errno, args cloneArgs) error {
	return refusedWith(want, unix.SYS_CLONE3, uintptr(unsafe.Pointer(&args)), unsafe.Sizeof(args))
}

// tryCloneSetTID asks for the number of this process.
func tryCloneSetTID() error {
	taken := int32(os.Getpid())
	var pinner runtime.Pinner // of what goes to the kernel as a number in a struct
	pinner.Pin(&taken)
	defer pinner.Unpin()
	return refusedWithClone(unix.EEXIST, cloneArgs{setTID: uint64(uintptr(unsafe.Pointer(&taken))), setTIDSize: 1})
}

// tryCloneNewUser runs this program, without a test, as nobody in particular.
func tryCloneNewUser() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "-test.run=^$")
	cmd.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER}
	return cmd.Run()
}
