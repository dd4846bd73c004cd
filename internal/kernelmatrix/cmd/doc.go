// Kernelmatrix runs the tests of packages, or one program, inside the kernels
// of the matrix.
//
//	kernelmatrix [flags] [packages] [-- flags of the test binary]
//	kernelmatrix [flags] -bin PROGRAM [-- arguments]
//
// The packages (default ./...) are built for each kernel's architecture; those
// without tests are left out. Each result is one line with the kernel in the
// name, followed by the output where the test failed or was skipped, and the
// last line counts them all:
//
//	amd64-6.12/internal/hist/TestIndexIsMonotone PASS (0.02s)
//	amd64-6.12: 207 passed, 0 failed, 0 skipped in 10.0s (6.12.107+deb13-cloud-amd64)
//	207 passed, 0 failed, 0 skipped
//
// With -bin it runs one static binary, or a main package that it builds, and
// exits as that did. Results go to standard output, everything else to
// standard error. Flags:
//
//	-kernel NAMES    which kernels, comma-separated; default all four
//	-run REGEXP      as in go test
//	-v               print passed subtests and all output too
//	-timeout D       of each package's tests or the program; default 10m
//	-parallel N      machines at a time: 1 or 2
//	-with PROGRAMS   static binaries or main packages for the guest's /bin
//	-bpffs           mount bpffs on /sys/fs/bpf
//	-cache DIR       fetched kernels; default ring3/kernels in the user's cache
//	-list            list the kernels and stop
//
// Exit codes: 0 all passed, 1 a test or the machine failed, or no test ran,
// 2 usage.
package main
