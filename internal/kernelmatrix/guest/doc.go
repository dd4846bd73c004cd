// Guest is the /init of the kernel matrix: the only program in the initramfs
// besides the tests. As process 1 it mounts what a Linux program expects, sets
// up the loopback interface and starts itself again as the runner; then it
// reaps orphans until the runner ends and switches the machine off. The runner
// reads the job, runs its steps one after another as root, and sends their
// output as frames on the console.
//
// It is built for the kernel's architecture by package kernelmatrix and is of
// no use anywhere else; started as anything but process 1 or the runner it
// says so.
package main
