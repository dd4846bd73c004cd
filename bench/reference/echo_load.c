// The load for echo servers: CONNECTIONS of them, each with one message of SIZE bytes under way, REQUESTS in all.
//
//	echo_load PORT CONNECTIONS SIZE REQUESTS CPU
//
// Prints ns a request. It goes through io_uring, with many operations a system call, so that the server is what is
// measured. Each message carries the number of its connection and of its round, and the answer must be the same.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct peer {
	int fd;
	uint32_t number, round;
	int have; // bytes of the answer
	char *out, *in;
};

static int size;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static struct io_uring_sqe *entry(struct io_uring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	if (!sqe) {
		io_uring_submit(ring);
		sqe = io_uring_get_sqe(ring);
	}
	return sqe;
}

static void receive(struct io_uring *ring, struct peer *p)
{
	struct io_uring_sqe *sqe = entry(ring);
	io_uring_prep_recv(sqe, p->fd, p->in + p->have, size - p->have, 0);
	io_uring_sqe_set_data(sqe, p);
}

static void request(struct io_uring *ring, struct peer *p)
{
	p->round++;
	p->have = 0;
	memcpy(p->out, &p->number, 4);
	memcpy(p->out + 4, &p->round, 4);
	struct io_uring_sqe *sqe = entry(ring);
	io_uring_prep_send(sqe, p->fd, p->out, size, MSG_WAITALL);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	io_uring_sqe_set_data(sqe, NULL);
	receive(ring, p);
}

static int dial(int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to))
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return fd;
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

// exchange makes n requests, and leaves one under way on each connection that is not needed any more.
static void exchange(struct io_uring *ring, long n)
{
	for (long done = 0; done < n;) {
		if (io_uring_submit_and_wait(ring, 1) < 0)
			die("io_uring_enter");
		struct io_uring_cqe *cqe;
		unsigned head, seen = 0;
		io_uring_for_each_cqe(ring, head, cqe) {
			struct peer *p = io_uring_cqe_get_data(cqe);
			seen++;
			if (cqe->res <= 0) {
				fprintf(stderr, "echo_load: %s\n", cqe->res ? strerror(-cqe->res) : "the server closed a connection");
				exit(1);
			}
			p->have += cqe->res;
			if (p->have < size) {
				receive(ring, p);
				continue;
			}
			if (memcmp(p->in, p->out, size)) {
				fprintf(stderr, "echo_load: connection %u got another answer in round %u\n", p->number, p->round);
				exit(1);
			}
			done++;
			request(ring, p);
		}
		io_uring_cq_advance(ring, seen);
	}
}

int main(int argc, char **argv)
{
	if (argc != 6)
		return 2;
	int port = atoi(argv[1]), peers = atoi(argv[2]);
	size = atoi(argv[3]);
	long requests = atol(argv[4]);
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(atoi(argv[5]), &set);
	if (sched_setaffinity(0, sizeof set, &set))
		die("sched_setaffinity");

	struct io_uring ring;
	struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE, .cq_entries = 16384};
	if (io_uring_queue_init_params(4096, &ring, &params))
		die("io_uring_setup");
	struct peer *all = calloc(peers, sizeof *all);
	for (int i = 0; i < peers; i++) {
		all[i] = (struct peer){.fd = dial(port), .number = i, .out = calloc(1, size), .in = calloc(1, size)};
		request(&ring, &all[i]);
	}
	exchange(&ring, requests / 10); // warm
	double from = now();
	exchange(&ring, requests);
	printf("%f\n", (now() - from) / requests);
	return 0;
}
