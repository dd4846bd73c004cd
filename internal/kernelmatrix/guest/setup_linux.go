package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A mount is one file system that programs expect to find.
type mount struct {
	fstype, target, data string
}

var mounts = []mount{
	{"devtmpfs", "/dev", "mode=0755"}, // first: os/exec opens /dev/null
	{"devpts", "/dev/pts", "ptmxmode=0666,mode=0620"},
	{"tmpfs", "/dev/shm", "mode=1777"},
	{"proc", "/proc", ""},
	{"sysfs", "/sys", ""},
	{"securityfs", "/sys/kernel/security", ""},
	{"tracefs", "/sys/kernel/tracing", ""},
	{"cgroup2", "/sys/fs/cgroup", ""},
	{"tmpfs", "/tmp", "mode=1777"},
	{"tmpfs", "/run", "mode=0755"},
}

// setUp makes the machine one in which Go tests run: file systems, limits as
// a distribution's init sets them, and the loopback interface.
func setUp() error {
	for _, m := range mounts {
		if err := m.mount(); err != nil {
			return err
		}
	}
	if err := mountDisk(); err != nil {
		return err
	}
	// What the kernel says from here on would land in the middle of frames.
	// An oops or a panic is still printed: both raise the level themselves.
	const consoleLevel = 8 // SYSLOG_ACTION_CONSOLE_LEVEL
	if err := klogctl(consoleLevel, 1); err != nil {
		return err
	}
	// Debian adds a level, 3, at which CAP_PERFMON opens no event; a test that holds nothing but
	// capabilities needs mainline's default.
	if err := os.WriteFile("/proc/sys/kernel/perf_event_paranoid", []byte("2"), 0); err != nil {
		return err
	}
	for resource, limit := range map[int]unix.Rlimit{
		unix.RLIMIT_NOFILE: {Cur: 1024, Max: 1 << 19}, // as systemd sets it
		unix.RLIMIT_CORE:   {Cur: 0, Max: unix.RLIM_INFINITY},
	} {
		if err := unix.Setrlimit(resource, &limit); err != nil {
			return os.NewSyscallError("setrlimit", err)
		}
	}
	if err := unix.Sethostname([]byte("ring3")); err != nil {
		return os.NewSyscallError("sethostname", err)
	}
	return loopbackUp()
}

func (m mount) mount() error {
	if err := os.MkdirAll(m.target, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(m.fstype, m.target, m.fstype, 0, m.data); err != nil {
		return fmt.Errorf("mount %s on %s: %w", m.fstype, m.target, err)
	}
	return nil
}

// mountDisk mounts the disk where temporary files go. The driver looks for it beside the boot.
func mountDisk() error {
	const disk, target = "/dev/nvme0n1", "/var/tmp"
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		err := unix.Mount(disk, target, "ext4", 0, "")
		if err == nil {
			return os.Chmod(target, 0o777|os.ModeSticky)
		}
		if !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENXIO) || time.Now().After(end) {
			return fmt.Errorf("mount %s on %s: %w", disk, target, err)
		}
	}
}

// klogctl is syslog(2) for the actions that take a number and no buffer.
func klogctl(action, value int) error {
	_, _, errno := unix.Syscall(unix.SYS_SYSLOG, uintptr(action), 0, uintptr(value))
	if errno != 0 {
		return os.NewSyscallError("syslog", errno)
	}
	return nil
}

// loopbackUp gives lo its addresses: the kernel adds 127.0.0.1 and ::1 by
// itself when the interface comes up.
func loopbackUp() (err error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer func() { err = errors.Join(err, os.NewSyscallError("close", unix.Close(fd))) }()
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr); err != nil {
		return os.NewSyscallError("ioctl SIOCSIFFLAGS", err)
	}
	return nil
}
