// Package seccomp puts this process under a filter of system calls. It is for tests, which do so in a child: a
// filter stays until the process ends. Linux on amd64 and arm64 alone.
package seccomp
