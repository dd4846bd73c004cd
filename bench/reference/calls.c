/* What a call costs in C: "calls getppid|clock|pipe N CPU" prints the ns of one, over N in a row (pipe: of
 * write and read in turn, N each). "calls write TEXT" writes it to standard output, then to no descriptor, and prints
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

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

int main(int argc, char **argv)
{
	cpu_set_t set;
	struct timespec t;
	volatile long sink;
	int64_t from, to;
	long n, calls;
	int fds[2];
	char byte = 0;

	if (argc == 3 && !strcmp(argv[1], "write")) {
		if (write(1, argv[2], strlen(argv[2])) != (ssize_t)strlen(argv[2]))
			return 1;
		if (write(-1, argv[2], strlen(argv[2])) == -1)
			fprintf(stderr, "%d\n", errno);
		return 0;
	}
	if (argc != 4 || (n = atol(argv[2])) <= 0) {
		fprintf(stderr, "usage: calls getppid|clock|pipe N CPU, or calls write TEXT\n");
		return 2;
	}
	CPU_ZERO(&set);
	CPU_SET(atoi(argv[3]), &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("sched_setaffinity");
		return 1;
	}
	if (pipe(fds)) {
		perror("pipe");
		return 1;
	}
	calls = n;
	from = now();
	if (!strcmp(argv[1], "getppid")) {
		for (long i = 0; i < n; i++)
			sink = syscall(SYS_getppid);
	} else if (!strcmp(argv[1], "clock")) {
		for (long i = 0; i < n; i++) {
			clock_gettime(CLOCK_MONOTONIC, &t);
			sink = t.tv_nsec;
		}
	} else if (!strcmp(argv[1], "pipe")) {
		calls = 2 * n;
		for (long i = 0; i < n; i++) {
			sink = write(fds[1], &byte, 1);
			sink = read(fds[0], &byte, 1);
		}
	} else {
		return 2;
	}
	to = now();
	(void)sink;
	printf("%.3f\n", (double)(to - from) / calls);
	return 0;
}
