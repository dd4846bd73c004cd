// Package seccomp puts this process, or a thread, under a filter of system calls. It is for tests, which do so in a
// child or on a thread that ends: a filter stays as long as they. Linux on amd64 and arm64 alone.
package seccomp
