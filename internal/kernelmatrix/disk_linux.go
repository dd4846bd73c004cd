package kernelmatrix

import (
	"context"
	"fmt"
	"os"
	"os/exec"
)

// diskSize is that of the file system on the disk of a machine. The file on the host is sparse, and a machine writes
// to a copy of what it changes.
const diskSize = 1 << 30

// makeDisk makes a disk that holds an empty file system. Without a journal it writes when it is
// told to, and not when some time has passed.
func makeDisk(ctx context.Context, file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	err = f.Truncate(diskSize)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	program, err := exec.LookPath("mkfs.ext4")
	if err != nil {
		program = "/sbin/mkfs.ext4" // PATH of most users does not lead there
	}
	cmd := exec.CommandContext(ctx, program, "-q", "-F", "-O", "^has_journal", file)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make a file system (package e2fsprogs has the program): %w\n%s", err, out)
	}
	return nil
}
