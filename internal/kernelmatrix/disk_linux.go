package kernelmatrix

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// diskSize is that of the file system on the disk of a machine. The file on the host is sparse, and a machine writes
// to a copy of what it changes.
const diskSize = 1 << 30

// diskFeatures are those of ext4 that every kernel knows. Without a journal it writes when it is told to, and not when
// some time has passed; without checksums no thread of the kernel fills inode tables in after the boot. Beginning with
// none, they are the same on each host: the defaults stand in its mke2fs.conf.
const diskFeatures = "none,dir_index,ext_attr,extent,extra_isize,filetype,flex_bg,huge_file,large_file,sparse_super"

// makeDisk makes a disk that holds an empty file system.
func makeDisk(ctx context.Context, file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(diskSize), f.Close()); err != nil {
		return err
	}
	program, err := mkfs()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, "-q", "-F", "-b", "4096", "-I", "256", "-O", diskFeatures, file)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make a file system: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// mkfs finds mkfs.ext4: PATH of most users does not lead there.
func mkfs() (string, error) {
	const name, elsewhere = "mkfs.ext4", "/sbin/mkfs.ext4"
	program, err := exec.LookPath(name)
	if err != nil {
		program, err = exec.LookPath(elsewhere)
	}
	if err != nil {
		return "", fmt.Errorf("no %s here (package e2fsprogs has it): %w", name, err)
	}
	return program, nil
}
