package seccomp

import (
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// child is set where this binary is to be the child of a test.
const child = "RING3_SECCOMP_CHILD"

func TestFilterAnswersWhatItsRulesSay(t *testing.T) {
	if os.Getenv(child) != "" {
		first := uint32(7)
		err := Install(
			Refuse(unix.SYS_GETPRIORITY, unix.ENOSYS),
			Rule{From: unix.SYS_UMASK, To: unix.SYS_UMASK, First: &first, Action: unix.SECCOMP_RET_ERRNO | uint32(unix.EXDEV)},
			Rule{From: 5000, To: 6000, Action: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		)
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			number, first uintptr
			want          unix.Errno
		}{
			{unix.SYS_GETPRIORITY, 0, unix.ENOSYS},
			{unix.SYS_UMASK, 7, unix.EXDEV},
			{unix.SYS_UMASK, 0o22, 0},
			{unix.SYS_GETPPID, 7, 0},
			{4999, 0, unix.ENOSYS},
			{5000, 0, unix.EPERM},
			{6000, 0, unix.EPERM},
			{6001, 0, unix.ENOSYS},
		} {
			if _, _, errno := unix.RawSyscall(tt.number, tt.first, 0, 0); errno != tt.want {
				t.Errorf("call %d(%d): %v; want %v", tt.number, tt.first, errno, tt.want)
			}
		}
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), child+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("child: %v\n%s", err, out)
	}
}
