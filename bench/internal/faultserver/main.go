//go:build linux

// Faultserver measures what a missing page costs that ring3 serves:
//
//	faultserver here|elsewhere N CHUNK CPU
//
// It prints the ns of one, over N, which are read in pieces of CHUNK bytes, or touched one by one where that is 0. The
// handler is a goroutine of this process, or, elsewhere, one of another. All of it runs on that processor. Exit codes: 0
// done, 1 something broke, 3 this kernel or this user has not what it needs.
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/pagefault"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "faultserver:", err)
		if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrPermission) {
			os.Exit(3)
		}
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 1 && args[0] == "serve" {
		return serve()
	}
	if len(args) != 4 {
		return errors.New("want here or elsewhere, and three numbers")
	}
	var numbers [3]int
	for i := range numbers {
		n, err := strconv.Atoi(args[i+1])
		if err != nil {
			return err
		}
		numbers[i] = n
	}
	n, chunk, cpu := numbers[0], numbers[1], numbers[2]
	if err := stayOn(cpu); err != nil {
		return err
	}
	// On one processor Go gives a program one P, which the two goroutines would hand to and fro at each call. Whoever is
	// pinned to nothing has one for each, as the two threads in C have.
	runtime.GOMAXPROCS(2)
	measure := here
	if args[0] == "elsewhere" {
		measure = elsewhere
	}
	took, err := measure(n, chunk)
	if err == nil {
		fmt.Printf("%.3f\n", float64(took)/float64(n))
	}
	return err
}

// stayOn has the whole process run on one processor: threads are made on that of who makes them, so this one starts
// itself again.
func stayOn(cpu int) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return os.NewSyscallError("sched_getaffinity", err)
	}
	if set.Count() == 1 {
		return nil
	}
	set.Zero()
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return os.NewSyscallError("sched_setaffinity", err)
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	return os.NewSyscallError("execve", unix.Exec(exe, os.Args, os.Environ()))
}

// fill writes a word to each page, as the reference does.
func fill(r *pagefault.Request) error {
	binary.NativeEndian.PutUint64(r.Page, uint64(r.Offset))
	return nil
}

// here reads through the region's methods.
func here(n, chunk int) (took time.Duration, err error) {
	page := os.Getpagesize()
	region, err := pagefault.Serve(pagefault.ServeOptions{Size: int64(n) * int64(page), Handler: fill})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, region.Close()) }()
	b, step := make([]byte, chunk), int64(chunk)
	if chunk == 0 {
		b, step = make([]byte, 1), int64(page)
	}
	runtime.GC() // none in the middle
	from := time.Now()
	for at := int64(0); at+step <= region.Size(); at += step {
		if _, err := region.ReadAt(b, at); err != nil {
			return 0, err
		}
	}
	return time.Since(from), nil
}

// elsewhere touches the memory, which this program serves as another process.
func elsewhere(n, chunk int) (took time.Duration, err error) {
	if chunk != 0 {
		return 0, errors.ErrUnsupported
	}
	page := os.Getpagesize()
	conn, wait, err := start()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, wait()) }()
	region, err := pagefault.Serve(pagefault.ServeOptions{Size: int64(n) * int64(page), Remote: conn})
	if err != nil {
		conn.Close()
		return 0, err
	}
	defer func() { err = errors.Join(err, region.Close()) }()
	memory, err := region.Memory()
	if err != nil {
		return 0, err
	}
	runtime.GC()
	from := time.Now()
	for i := range n {
		sink += memory[i*page]
	}
	runtime.KeepAlive(sink)
	return time.Since(from), nil
}

var sink byte

// start starts the other process and returns the connection to it.
func start() (_ *net.UnixConn, wait func() error, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	theirs, ours := os.NewFile(uintptr(pair[1]), "theirs"), os.NewFile(uintptr(pair[0]), "ours")
	defer theirs.Close()
	defer ours.Close()
	exe, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.Command(exe, "serve")
	cmd.ExtraFiles, cmd.Stderr = []*os.File{theirs}, os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	conn, err := connection(ours)
	return conn, cmd.Wait, err
}

// serve is the other process.
func serve() error {
	conn, err := connection(os.NewFile(3, "connection"))
	if err != nil {
		return err
	}
	return pagefault.ServeRemote(conn, fill, 1)
}

func connection(f *os.File) (*net.UnixConn, error) {
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		conn.Close()
		return nil, os.ErrInvalid
	}
	return unixConn, nil
}
