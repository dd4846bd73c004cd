/* What a call costs in C: "calls getppid|clock N CPU" prints the ns of one, over N in a row. */
#define _GNU_SOURCE
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
	long n;

	if (argc != 4 || (n = atol(argv[2])) <= 0) {
		fprintf(stderr, "usage: calls getppid|clock N CPU\n");
		return 2;
	}
	CPU_ZERO(&set);
	CPU_SET(atoi(argv[3]), &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("sched_setaffinity");
		return 1;
	}
	from = now();
	if (!strcmp(argv[1], "getppid")) {
		for (long i = 0; i < n; i++)
			sink = syscall(SYS_getppid);
	} else if (!strcmp(argv[1], "clock")) {
		for (long i = 0; i < n; i++) {
			clock_gettime(CLOCK_MONOTONIC, &t);
			sink = t.tv_nsec;
		}
	} else {
		return 2;
	}
	to = now();
	(void)sink;
	printf("%.3f\n", (double)(to - from) / n);
	return 0;
}
