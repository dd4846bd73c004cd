package kernelmatrix

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A Cache is a directory with one subdirectory a kernel. To get a newer point
// release, remove the subdirectory.
type Cache struct {
	Dir string // absolute
}

// DefaultCache is ring3/kernels in the user's cache directory.
func DefaultCache() (Cache, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return Cache{}, fmt.Errorf("find the user's cache directory: %w", err)
	}
	return Cache{Dir: filepath.Join(dir, "ring3", "kernels")}, nil
}

// A CachedKernel is a kernel that is ready to boot.
type CachedKernel struct {
	Kernel
	Image   string // path of vmlinuz
	Package string // the Debian package that it came from
}

// ErrDamaged says that an image is not the one that was fetched: a disk that was full, a machine that lost power.
var ErrDamaged = errors.New("image in the cache is damaged")

// Lookup finds k in the cache. Where it is missing, the error is [fs.ErrNotExist]; where it is damaged, [ErrDamaged].
func (c Cache) Lookup(k Kernel) (CachedKernel, error) {
	dir := filepath.Join(c.Dir, k.Name())
	pkg, err := os.ReadFile(filepath.Join(dir, "package"))
	if err != nil {
		return CachedKernel{}, fmt.Errorf("kernel %s: %w", k.Name(), err)
	}
	image := filepath.Join(dir, "vmlinuz")
	sum, err := fileSum(image)
	if err != nil {
		return CachedKernel{}, fmt.Errorf("kernel %s: %w", k.Name(), err)
	}
	switch want, err := os.ReadFile(filepath.Join(dir, "sum")); {
	case errors.Is(err, fs.ErrNotExist): // put there by hand
	case err != nil:
		return CachedKernel{}, fmt.Errorf("kernel %s: %w", k.Name(), err)
	case strings.TrimSpace(string(want)) != sum:
		return CachedKernel{}, fmt.Errorf("kernel %s: %w: %s", k.Name(), ErrDamaged, image)
	}
	return CachedKernel{Kernel: k, Image: image, Package: strings.TrimSpace(string(pkg))}, nil
}

// fileSum is the SHA-256 of a file, in hexadecimal.
func fileSum(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Get finds k in the cache, or fetches it with apt, again where the image is damaged. Only then it needs the
// network, and tells progress what it does. Several processes may share a cache.
func (c Cache) Get(ctx context.Context, k Kernel, progress io.Writer) (ck CachedKernel, err error) {
	usable := func(err error) bool { return !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrDamaged) }
	if ck, err := c.Lookup(k); usable(err) {
		return ck, err
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return CachedKernel{}, fmt.Errorf("kernel cache: %w", err)
	}
	unlock, err := c.lock(ctx)
	if err != nil {
		return CachedKernel{}, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if ck, err := c.Lookup(k); usable(err) {
		return ck, err // another process was quicker
	}
	// Who holds the lock is alone here: such a directory is of a process that was killed.
	stale, err := filepath.Glob(filepath.Join(c.Dir, fetchPrefix+"*"))
	for _, dir := range stale {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	if err != nil {
		return CachedKernel{}, fmt.Errorf("kernel cache: %w", err)
	}
	work, err := os.MkdirTemp(c.Dir, fetchPrefix)
	if err != nil {
		return CachedKernel{}, fmt.Errorf("kernel cache: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	fmt.Fprintf(progress, "kernel %s: fetching it from Debian %s\n", k.Name(), k.Suite)
	if err := fetchKernel(ctx, k, work); err != nil {
		return CachedKernel{}, fmt.Errorf("fetch kernel %s: %w", k.Name(), err)
	}
	place := filepath.Join(c.Dir, k.Name())
	if err := errors.Join(os.RemoveAll(place), os.Rename(filepath.Join(work, "kernel"), place)); err != nil {
		return CachedKernel{}, fmt.Errorf("kernel cache: %w", err)
	}
	return c.Lookup(k)
}

// fetchPrefix begins the names of directories in the cache where a kernel is being fetched.
const fetchPrefix = ".fetch-"

// lock makes one process fetch at a time. The kernel drops it with the process. Waiting in flock(2) could not be
// ended, so it asks now and then.
func (c Cache) lock(ctx context.Context) (unlock func() error, err error) {
	f, err := os.OpenFile(filepath.Join(c.Dir, ".lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("kernel cache: %w", err)
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return f.Close, nil
		case err != unix.EWOULDBLOCK && err != unix.EINTR:
			return nil, errors.Join(os.NewSyscallError("flock", err), f.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), f.Close())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// debianKeyring holds the keys of every Debian release that is still alive.
const debianKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// fetchKernel puts the kernel image into work/kernel. It uses an apt root of
// its own in work: the host's sources, lists, package database, architectures
// hooks and trusted keys are neither read nor changed.
func fetchKernel(ctx context.Context, k Kernel, work string) error {
	for _, tool := range []string{"apt-config", "apt-get", "apt-cache", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("the kernels are Debian packages, fetched with apt: %w", err)
		}
	}
	if _, err := os.Stat(debianKeyring); err != nil {
		return fmt.Errorf("no key to check the packages with (install debian-archive-keyring): %w", err)
	}
	apt, err := newAptRoot(ctx, k, work)
	if err != nil {
		return err
	}
	if _, err := apt.run(ctx, "apt-get", "update"); err != nil {
		return err
	}
	meta, err := apt.run(ctx, "apt-cache", "show", "--no-all-versions", k.metaPackage())
	if err != nil {
		return err
	}
	pkg, err := imagePackage(string(meta))
	if err != nil {
		return fmt.Errorf("package %s: %w", k.metaPackage(), err)
	}
	if _, err := apt.run(ctx, "apt-get", "download", pkg); err != nil {
		return err
	}
	debs, err := filepath.Glob(filepath.Join(work, "*.deb"))
	if err != nil || len(debs) != 1 {
		return fmt.Errorf("apt-get download %s left %d packages: %w", pkg, len(debs), errors.Join(err, fs.ErrNotExist))
	}
	dir := filepath.Join(work, "kernel")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := extractBoot(ctx, debs[0], dir); err != nil {
		return err
	}
	sum, err := fileSum(filepath.Join(dir, "vmlinuz"))
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "sum"), []byte(sum+"\n"), 0o644),
		os.WriteFile(filepath.Join(dir, "package"), []byte(pkg+"\n"), 0o644))
}

// imagePackage finds the versioned kernel package in the description of the
// meta package.
func imagePackage(control string) (string, error) {
	for line := range strings.Lines(control) {
		list, ok := strings.CutPrefix(line, "Depends:")
		if !ok {
			continue
		}
		for dep := range strings.SplitSeq(list, ",") {
			name, _, _ := strings.Cut(strings.TrimSpace(dep), " ")
			if strings.HasPrefix(name, "linux-image-") {
				return name, nil
			}
		}
	}
	return "", errors.New("depends on no linux-image package")
}

// An aptRoot is a private configuration of apt.
type aptRoot struct{ dir string }

// aptConfig is apt.conf of the private root; it follows the host's Acquire
// settings. %[1]s is the directory, %[2]s the architecture.
const aptConfig = `
Dir::Etc::main "/dev/null";
Dir::Etc::Parts "/dev/null";
Dir::Etc::SourceList "%[1]s/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::Etc::Trusted "/dev/null";
Dir::Etc::TrustedParts "/dev/null";
Dir::State "%[1]s";
Dir::State::Lists "%[1]s/lists";
Dir::State::status "%[1]s/status";
Dir::Cache "%[1]s/cache";
Dir::Log "%[1]s";
APT::Architecture "%[2]s";
#clear APT::Architectures;
APT::Architectures "%[2]s";
// The user _apt may not enter the cache directory.
APT::Sandbox::User "root";
Acquire::Retries "3";
Acquire::http::Timeout "30";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
`

func newAptRoot(ctx context.Context, k Kernel, dir string) (*aptRoot, error) {
	for _, sub := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	// How this host reaches a mirror (proxies, time checks) is the one thing
	// to take over; its hooks would run on every update.
	host, err := exec.CommandContext(ctx, "apt-config", "dump", "Acquire").Output()
	if err != nil {
		return nil, fmt.Errorf("apt-config dump: %w", err)
	}
	for name, text := range map[string]string{
		"apt.conf":     string(host) + fmt.Sprintf(aptConfig, dir, k.Arch),
		"sources.list": fmt.Sprintf("deb [signed-by=%s] http://deb.debian.org/debian %s main\n", debianKeyring, k.Suite),
		"status":       "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	return &aptRoot{dir: dir}, nil
}

// run runs a program of apt in the root's directory and returns what it wrote
// to standard output. Its error holds what it wrote at all.
func (a *aptRoot) run(ctx context.Context, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = a.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "APT_CONFIG="+filepath.Join(a.dir, "apt.conf"))
	var out, talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &talk
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, out.Bytes(), talk.Bytes())
	}
	return out.Bytes(), nil
}

// extractBoot takes vmlinuz and config out of a kernel package, without the
// hundred megabytes of modules beside them.
func extractBoot(ctx context.Context, deb, dir string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends dpkg-deb where we stop reading early
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", deb)
	var talk bytes.Buffer
	cmd.Stderr = &talk
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	found, err := copyBoot(out, dir)
	if err != nil {
		cancel()
		return errors.Join(err, cmd.Wait())
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("dpkg-deb: %w\n%s", err, talk.Bytes())
	}
	if !found {
		return fmt.Errorf("no /boot/vmlinuz in %s", filepath.Base(deb))
	}
	return nil
}

// copyBoot reads a tar archive to its end, and reports whether it had a kernel.
func copyBoot(archive io.Reader, dir string) (found bool, err error) {
	tr := tar.NewReader(archive)
	for {
		header, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return false, fmt.Errorf("read package: %w", err)
		}
		for _, name := range []string{"vmlinuz", "config"} {
			if header.Typeflag != tar.TypeReg || !strings.HasPrefix(header.Name, "./boot/"+name+"-") {
				continue
			}
			if err := writeFile(filepath.Join(dir, name), tr); err != nil {
				return false, err
			}
			found = found || name == "vmlinuz"
		}
	}
}

func writeFile(path string, r io.Reader) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, r); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}
