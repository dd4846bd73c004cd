package syscalls

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// An answer is what a system call gave that was made only to see what it gives.
type answer struct {
	errno  unix.Errno // 0 for success
	killed bool       // a filter ended the process for it
}

func (a answer) String() string {
	if a.killed {
		return "killed"
	}
	if a.errno == 0 {
		return "success"
	}
	return a.errno.Error()
}

// ask makes a system call in a child process that ends with it, so that a filter that kills for the call kills
// nobody else. The child is no child as shells have them: it sends no signal when it ends, and only who waits
// for it by name and asks for such (__WALL) gets it.
func ask(number uintptr, args [5]uintptr) (answer, error) {
	pid := askInChild(number, args[0], args[1], args[2], args[3], args[4])
	if pid < 0 {
		return answer{}, os.NewSyscallError("clone", unix.Errno(-pid))
	}
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &status, unix.WALL, nil)
		switch {
		case err == unix.EINTR:
			continue // the child would stay behind
		case err != nil:
			return answer{}, os.NewSyscallError("wait4", err)
		case status.Exited():
			return answer{errno: unix.Errno(status.ExitStatus())}, nil
		case status.Signaled() && status.Signal() == unix.SIGSYS:
			return answer{killed: true}, nil
		}
		return answer{}, fmt.Errorf("ask for system call %d: child ended with status %#x", number, uint32(status))
	}
}

// askInChild forks, makes a system call in the child and ends the child with the error number as its exit
// status. It returns the child's number, or a negated error number. In assembly, because the child of a fork has
// one thread and whatever locks the others held: no Go code may run in it.
func askInChild(number, a1, a2, a3, a4, a5 uintptr) (pid int)
