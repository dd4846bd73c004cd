/* What a call costs in C: "calls getppid|inline|clock|pipe N CPU" prints the ns of one, over N in a row (inline:
 * getppid without a function around the instruction; pipe: of write and read in turn, N each). "calls write TEXT" writes it to standard output, then to no descriptor, and prints
 * the errno of that on standard error. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BATCHES 250 /* callBatches of inprocess.go: the value is their median */

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;

	return d < 0 ? -1 : d > 0;
}

/* The instruction where it is needed, with nothing to return from. */
static inline long getppid_inline(void)
{
#ifdef __x86_64__
	long r;

	__asm__ volatile("syscall" : "=a"(r) : "a"(SYS_getppid) : "rcx", "r11", "memory");
	return r;
#else
	register long number __asm__("x8") = SYS_getppid;
	register long r __asm__("x0");

	__asm__ volatile("svc #0" : "=r"(r) : "r"(number) : "memory");
	return r;
#endif
}

/* The calls, n times: ns of one. */
static double once(const char *what, long n)
{
	struct timespec t;
	volatile long sink;
	int64_t from, to;
	long calls = n;
	char byte = 0;
	int fds[2];

	if (pipe(fds)) {
		perror("pipe");
		exit(1);
	}
	from = now();
	if (!strcmp(what, "getppid")) {
		for (long i = 0; i < n; i++)
			sink = syscall(SYS_getppid);
	} else if (!strcmp(what, "inline")) {
		for (long i = 0; i < n; i++)
			sink = getppid_inline();
	} else if (!strcmp(what, "clock")) {
		for (long i = 0; i < n; i++) {
			clock_gettime(CLOCK_MONOTONIC, &t);
			sink = t.tv_nsec;
		}
	} else if (!strcmp(what, "pipe")) {
		calls = 2 * n;
		for (long i = 0; i < n; i++) {
			sink = write(fds[1], &byte, 1);
			sink = read(fds[0], &byte, 1);
		}
	} else {
		exit(2);
	}
	to = now();
	(void)sink;
	close(fds[0]);
	close(fds[1]);
	return (double)(to - from) / calls;
}

int main(int argc, char **argv)
{
	double values[BATCHES];
	cpu_set_t set;
	long n;

	if (argc == 3 && !strcmp(argv[1], "write")) {
		if (write(1, argv[2], strlen(argv[2])) != (ssize_t)strlen(argv[2]))
			return 1;
		if (write(-1, argv[2], strlen(argv[2])) == -1)
			fprintf(stderr, "%d\n", errno);
		return 0;
	}
	if (argc != 4 || (n = atol(argv[2])) < BATCHES) {
		fprintf(stderr, "usage: calls getppid|inline|clock|pipe N CPU, or calls write TEXT\n");
		return 2;
	}
	CPU_ZERO(&set);
	CPU_SET(atoi(argv[3]), &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("sched_setaffinity");
		return 1;
	}
	for (int i = 0; i < BATCHES; i++)
		values[i] = once(argv[1], n / BATCHES);
	qsort(values, BATCHES, sizeof(values[0]), compare);
	printf("%.3f\n", values[BATCHES / 2]);
	return 0;
}
