// Package pass is what a guest should be able to do.
package pass

import (
	"net"
	"os"
	"os/exec"
	"os/user"
	"syscall"
	"testing"
)

func TestRunsInPackageDirectory(t *testing.T) {
	text, err := os.ReadFile("testdata/hello.txt")
	if err != nil || string(text) != "hello\n" {
		t.Fatalf("testdata/hello.txt: %q, %v", text, err)
	}
	if _, err := os.Stat("../../../doc.go"); err != nil {
		t.Errorf("a file of another package: %v", err)
	}
}

func TestFileSystems(t *testing.T) {
	for _, name := range []string{
		"/dev/null", "/dev/ptmx", "/dev/pts/ptmx", "/dev/shm", "/proc/self/exe", "/sys/kernel/security/lsm",
		"/sys/kernel/tracing/trace_clock", "/sys/fs/cgroup/cgroup.procs", "/sys/kernel/btf/vmlinux",
	} {
		if _, err := os.Stat(name); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.ReadFile("/sys/kernel/tracing/trace_clock"); err != nil {
		t.Errorf("as root: %v", err)
	}
	var st syscall.Statfs_t
	const ext4 = 0xef53
	if err := syscall.Statfs(t.TempDir(), &st); err != nil || st.Type != ext4 {
		t.Errorf("temporary files are on a file system of type %#x, %v", st.Type, err)
	}
}

func TestLoopback(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", "localhost:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Error(err)
			continue
		}
		l.Close()
	}
}

func TestUnprivilegedUser(t *testing.T) {
	nobody, err := user.Lookup("nobody")
	if err != nil || nobody.Uid != "65534" {
		t.Fatalf("nobody: %+v, %v", nobody, err)
	}
	if os.Getuid() != 0 {
		if _, err := os.CreateTemp("", ""); err != nil {
			t.Error(err)
		}
		return // the child below
	}
	cmd := exec.Command(os.Args[0], "-test.run=TestUnprivilegedUser")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
}

func TestNoOtherPrograms(t *testing.T) {
	if name, err := exec.LookPath("go"); err == nil {
		t.Errorf("found %s", name)
	}
}

func TestSkips(t *testing.T) { t.Skip("this machine has no tea") }

func TestSubtests(t *testing.T) {
	t.Run("one", func(t *testing.T) {})
	t.Run("two", func(t *testing.T) { t.Skip("nor coffee") })
}
