// The load for echo servers: CONNECTIONS of them, each with one message of SIZE bytes under way, REQUESTS in all.
//
//	echo_load PORT CONNECTIONS SIZE REQUESTS CPU
//
// Prints a line when the connections are warm, and ns a request at the end. After each it waits for a line on standard
// input, so that whoever started it can look at the server at both times, and ends where that has ended.
//
// It goes through io_uring, with many operations a system call, so that the server is what is measured: one receive a
// connection goes on for its life, into buffers that the kernel takes from a ring, descriptors are the ring's, and a call
// waits for several answers. Each message carries the number of its connection and of its round, and the answer must be
// the same. Exit codes: 0 done, 1 something broke, 2 usage, 3 there is no io_uring for this
// user, or too few descriptors.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
	ENTRIES = 4096,
	BUFFERS = 16384, // a power of two
};

struct peer {
	uint32_t number, round;
	int have; // bytes of the answer
};

static struct io_uring ring;
static struct io_uring_buf_ring *provided;
static struct peer *peers;
static char *out, *in; // the messages of the peers, and buffers of size bytes for what comes
static int size;

static void die(const char *what)
{
	int missing = errno == EPERM || errno == ENOSYS || errno == EMFILE;
	perror(what);
	exit(missing ? 3 : 1);
}

static void check(const char *what, int result)
{
	if (result < 0) {
		errno = -result;
		die(what);
	}
}

static struct io_uring_sqe *entry(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	if (!sqe) {
		check("io_uring_enter", io_uring_submit(&ring));
		sqe = io_uring_get_sqe(&ring);
	}
	return sqe;
}

static void receive(struct peer *p)
{
	struct io_uring_sqe *sqe = entry();
	io_uring_prep_recv_multishot(sqe, p->number, NULL, 0, 0);
	sqe->flags = IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
	io_uring_sqe_set_data(sqe, p);
}

static char *message(const struct peer *p) { return out + (size_t)p->number * size; }

static void request(struct peer *p)
{
	p->round++;
	p->have = 0;
	memcpy(message(p), &p->number, 4);
	memcpy(message(p) + 4, &p->round, 4);
	struct io_uring_sqe *sqe = entry();
	io_uring_prep_send(sqe, p->number, message(p), size, MSG_WAITALL);
	sqe->flags = IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS;
	io_uring_sqe_set_data(sqe, NULL);
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

// received returns whether the answer is whole.
static bool received(struct peer *p, const struct io_uring_cqe *cqe)
{
	if (cqe->res == -ENOBUFS) {
		receive(p);
		return false;
	}
	if (cqe->res <= 0 || !p) {
		fprintf(stderr, "echo_load: %s\n", cqe->res ? strerror(-cqe->res) : "the server closed a connection");
		exit(1);
	}
	int number = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
	char *b = in + (size_t)number * size;
	if (p->have + cqe->res > size || memcmp(b, message(p) + p->have, cqe->res)) {
		fprintf(stderr, "echo_load: connection %u got another answer in round %u\n", p->number, p->round);
		exit(1);
	}
	p->have += cqe->res;
	io_uring_buf_ring_add(provided, b, size, number, BUFFERS - 1, 0);
	io_uring_buf_ring_advance(provided, 1);
	if (!(cqe->flags & IORING_CQE_F_MORE))
		receive(p);
	return p->have == size;
}

// exchange makes n requests, and leaves one under way on each connection.
static void exchange(long n, unsigned wait)
{
	for (long done = 0; done < n;) {
		int submitted = io_uring_submit_and_wait(&ring, wait);
		if (submitted != -EINTR)
			check("io_uring_enter", submitted);
		struct io_uring_cqe *cqe;
		unsigned head, seen = 0;
		io_uring_for_each_cqe(&ring, head, cqe) {
			struct peer *p = io_uring_cqe_get_data(cqe);
			seen++;
			if (received(p, cqe)) {
				done++;
				request(p);
			}
		}
		io_uring_cq_advance(&ring, seen);
	}
}

static void make_ring(int connections)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
		.cq_entries = 8 * ENTRIES,
	};
	check("io_uring_setup", io_uring_queue_init_params(ENTRIES, &ring, &params));
	check("register the ring", io_uring_register_ring_fd(&ring));
	check("register files", io_uring_register_files_sparse(&ring, connections));
	provided = aligned_alloc(4096, BUFFERS * sizeof(struct io_uring_buf));
	in = malloc((size_t)BUFFERS * size);
	struct io_uring_buf_reg reg = {.ring_addr = (uintptr_t)provided, .ring_entries = BUFFERS};
	check("register buffers", io_uring_register_buf_ring(&ring, &reg, 0));
	io_uring_buf_ring_init(provided);
	for (int i = 0; i < BUFFERS; i++)
		io_uring_buf_ring_add(provided, in + (size_t)i * size, size, i, BUFFERS - 1, i);
	io_uring_buf_ring_advance(provided, BUFFERS);
}

// tell prints a line and waits for one.
static void tell(const char *line)
{
	char c;
	if (write(STDOUT_FILENO, line, strlen(line)) < 0)
		die("standard output");
	ssize_t n = read(STDIN_FILENO, &c, 1);
	if (n < 0)
		die("standard input");
	if (n == 0) {
		fprintf(stderr, "echo_load: standard input has ended\n");
		exit(1);
	}
}

int main(int argc, char **argv)
{
	if (argc != 6)
		return 2;
	int port = atoi(argv[1]), connections = atoi(argv[2]);
	size = atoi(argv[3]);
	long requests = atol(argv[4]);
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(atoi(argv[5]), &set);
	if (sched_setaffinity(0, sizeof set, &set))
		die("sched_setaffinity");
	struct rlimit files;
	if (!getrlimit(RLIMIT_NOFILE, &files)) { // the table of the ring may be as long as this
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
		if (files.rlim_max < (rlim_t)connections + 16) {
			fprintf(stderr, "%lu descriptors are allowed, for %d connections\n", (unsigned long)files.rlim_max, connections);
			return 3;
		}
	}

	make_ring(connections);
	peers = calloc(connections, sizeof *peers);
	out = calloc(connections, size);
	for (int i = 0; i < connections; i++) {
		int fd = dial(port);
		check("register a connection", io_uring_register_files_update(&ring, i, &fd, 1));
		close(fd); // the ring has it
		peers[i].number = i;
		receive(&peers[i]);
		request(&peers[i]);
	}
	unsigned wait = connections < 16 ? 1 : 4;
	exchange(requests / 10, wait); // warm
	tell("warm\n");
	double from = now();
	exchange(requests, wait);
	char text[32];
	snprintf(text, sizeof text, "%f\n", (now() - from) / requests);
	tell(text);
	return 0;
}
