/*
 * What a missing page costs that a thread serves through userfaultfd: "uffd N CHUNK [populate] CPU" prints the ns of
 * one, over N, which are read in pieces of CHUNK bytes, or touched one by one where that is 0. With populate each is
 * asked for by MADV_POPULATE_READ before it is touched, which takes a userfaultfd that serves system calls too.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int fd;
static size_t page;

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* A read that blocks and no poll before it: one system call less a fault. */
static void *handler(void *arg)
{
	char *buffer = aligned_alloc(page, page);
	struct uffd_msg msg;

	(void)arg;
	for (;;) {
		if (read(fd, &msg, sizeof(msg)) != sizeof(msg))
			continue;
		memset(buffer, 0, page);
		*(uint64_t *)buffer = msg.arg.pagefault.address;
		struct uffdio_copy copy = {
			.dst = msg.arg.pagefault.address & ~(page - 1),
			.src = (uintptr_t)buffer,
			.len = page,
		};
		if (ioctl(fd, UFFDIO_COPY, &copy)) {
			perror("UFFDIO_COPY");
			exit(1);
		}
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	volatile unsigned char sink;
	unsigned char *memory;
	pthread_t thread;
	cpu_set_t set;
	int64_t from, to;
	int populate;
	char *buffer = NULL;
	size_t n, chunk;

	populate = argc == 5 && !strcmp(argv[3], "populate");
	if ((argc != 4 && !populate) || !(n = strtoul(argv[1], NULL, 10))) {
		fprintf(stderr, "usage: uffd N CHUNK [populate] CPU\n");
		return 2;
	}
	chunk = strtoul(argv[2], NULL, 10);
	if (chunk && populate) {
		fprintf(stderr, "uffd: populate is for pages one by one\n");
		return 2;
	}
	if (chunk && !(buffer = calloc(1, chunk)))
		return 1;
	page = sysconf(_SC_PAGESIZE);
	fd = syscall(SYS_userfaultfd, O_CLOEXEC | (populate ? 0 : UFFD_USER_MODE_ONLY));
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api)) {
		perror("userfaultfd");
		return errno == EPERM || errno == ENOSYS ? 3 : 1;
	}
	memory = mmap(NULL, n * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	madvise(memory, n * page, MADV_NOHUGEPAGE);
	reg.range.start = (uintptr_t)memory;
	reg.range.len = n * page;
	if (ioctl(fd, UFFDIO_REGISTER, &reg)) {
		perror("UFFDIO_REGISTER");
		return 1;
	}
	/* Before there is a second thread, so that both are there: to wake another processor costs more than the rest. */
	CPU_ZERO(&set);
	CPU_SET(atoi(argv[argc - 1]), &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("sched_setaffinity");
		return 1;
	}
	if (pthread_create(&thread, NULL, handler, NULL))
		return 1;
	from = now();
	for (size_t i = 0; !chunk && !populate && i < n; i++)
		sink = memory[i * page];
	for (size_t i = 0; populate && i < n; i++) {
		if (madvise(memory + i * page, page, MADV_POPULATE_READ)) {
			perror("MADV_POPULATE_READ");
			return errno == EINVAL ? 3 : 1;
		}
		sink = memory[i * page];
	}
	for (size_t i = 0; chunk && i + chunk <= n * page; i += chunk) {
		memcpy(buffer, memory + i, chunk);
		sink = buffer[0];
	}
	to = now();
	(void)sink;
	printf("%.3f\n", (double)(to - from) / n);
	return 0;
}
