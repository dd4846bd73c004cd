// NOPs in batches, and random reads of a file in the page cache, by liburing.
//
//	uring nop|read BATCH N CPU
//
// Prints ns an operation: the median of parts, as the program beside it measures. The flags are those that
// package iouring chooses for one thread, but for IORING_SETUP_NO_SQARRAY, which liburing 2.3 does not know.
#define _GNU_SOURCE
#include <errno.h>
#include <liburing.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PARTS 250
#define PAGES 4096
#define SIZE 4096

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static int cached_file(void)
{
	static char page[SIZE];
	char path[] = "/tmp/ring3-uring-XXXXXX";
	int fd = mkstemp(path);

	if (fd < 0 || unlink(path))
		return -1;
	for (int i = 0; i < PAGES; i++)
		if (write(fd, page, SIZE) != SIZE)
			return -1;
	return fd;
}

static uint64_t state = 88172645463325252u;

static uint64_t xorshift(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

// One batch; returns how many completed as they should.
static int run(struct io_uring *ring, int fd, char *buffers, int batch)
{
	struct io_uring_cqe *cqe;
	unsigned head, n = 0;
	int good = 0, want = fd < 0 ? 0 : SIZE;

	for (int i = 0; i < batch; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

		if (fd < 0)
			io_uring_prep_nop(sqe);
		else
			io_uring_prep_read(sqe, fd, buffers + (size_t)i * SIZE, SIZE, xorshift() % PAGES * SIZE);
		io_uring_sqe_set_data64(sqe, i);
	}
	if (io_uring_submit_and_wait(ring, batch) < 0)
		return -1;
	io_uring_for_each_cqe(ring, head, cqe) {
		good += cqe->res == want;
		n++;
	}
	io_uring_cq_advance(ring, n);
	return good;
}

int main(int argc, char **argv)
{
	double values[PARTS];
	struct io_uring ring;
	cpu_set_t set;
	int batch, fd = -1;
	long n;

	if (argc != 5 || (batch = atoi(argv[2])) <= 0 || (n = atol(argv[3])) < (long)PARTS * batch) {
		fprintf(stderr, "usage: uring nop|read BATCH N CPU\n");
		return 2;
	}
	CPU_ZERO(&set);
	CPU_SET(atoi(argv[4]), &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("sched_setaffinity");
		return 1;
	}
	if (!strcmp(argv[1], "read") && (fd = cached_file()) < 0) {
		perror("file");
		return 1;
	}
	int e = io_uring_queue_init(batch, &ring,
				    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
				    IORING_SETUP_SUBMIT_ALL | IORING_SETUP_TASKRUN_FLAG);
	if (e) {
		fprintf(stderr, "io_uring_queue_init: %s\n", strerror(-e));
		return e == -EPERM || e == -ENOSYS ? 3 : 1;
	}
	char *buffers = calloc(batch, SIZE);

	for (int i = 0; i < PARTS; i++) {
		int rounds = n / PARTS / batch;
		int64_t from = now();

		for (int j = 0; j < rounds; j++) {
			if (run(&ring, fd, buffers, batch) != batch) {
				fprintf(stderr, "an operation failed\n");
				return 1;
			}
		}
		values[i] = (double)(now() - from) / rounds / batch;
	}
	qsort(values, PARTS, sizeof(values[0]), order);
	printf("%.3f\n", values[PARTS / 2]);
	return 0;
}
