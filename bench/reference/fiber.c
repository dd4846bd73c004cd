/* What a switch between two contexts costs Boost: "fiber ROUNDS CPU" prints the ns of one way. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

/* boost/context/detail/fcontext.hpp, which is C++ around these two. */
typedef struct {
	void *context;
	void *data;
} transfer;
transfer jump_fcontext(void *to, void *data);
void *make_fcontext(void *top, size_t size, void (*body)(transfer));

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void pong(transfer t)
{
	for (;;)
		t = jump_fcontext(t.context, NULL);
}

int main(int argc, char **argv)
{
	size_t size = 65536;
	cpu_set_t set;
	transfer t;
	int64_t from, to;
	char *stack;
	long n;

	if (argc != 3 || (n = atol(argv[1])) <= 0) {
		fprintf(stderr, "usage: fiber ROUNDS CPU\n");
		return 2;
	}
	CPU_ZERO(&set);
	CPU_SET(atoi(argv[2]), &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("sched_setaffinity");
		return 1;
	}
	stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stack == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	t.context = make_fcontext(stack + size, size, pong);
	t = jump_fcontext(t.context, NULL); /* both sides are in their loops now */
	from = now();
	for (long i = 0; i < n; i++)
		t = jump_fcontext(t.context, NULL);
	to = now();
	printf("%.3f\n", (double)(to - from) / (2 * n));
	return 0;
}
