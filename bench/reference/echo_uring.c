// An echo server on io_uring, by liburing, in one thread: what a careful program in C does on this kernel.
//
//	echo_uring plain|direct
//
// Prints the address that it listens on, and ends with its standard input. Its exit code is 3 where the kernel has not
// what it needs, or does not allow it.
//
// One accept makes all connections, and one receive a connection goes on for its life, into buffers that the kernel takes
// from a ring. The answers to all that arrived leave in the call that waits for more. A send does not wait: it is done when
// that call returns, and its buffer is free. One that did not go whole is finished by a send that waits, and until then
// nothing more is received from that peer. With "direct", connections are descriptors of the ring alone, and a send that
// went whole has no completion.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	CONNECTIONS = 16384,
	ENTRIES = 4096,
	BUFFERS = 4096, // a power of two
	SIZE = 2048,
	STRIDE = SIZE + 128, // or all begin in the same few lines of the cache
	GROUP = 0,
	NONE = -1,
};

enum { STDIN, ACCEPT, RECEIVE, SEND, FINISH, OTHER }; // user_data: one of them, and below it a number

struct peer {
	int first, last; // buffers that are to be sent back
	bool receiving, blocked, listed, starved, ended;
};

static struct io_uring ring;
static struct io_uring_buf_ring *provided;
static char *memory;
static struct peer peers[CONNECTIONS];
static struct {
	int next;
	uint32_t from, to, peer;
} buffers[BUFFERS]; // that the kernel has filled
static int back, lent; // buffers that go back to the ring next, and that the kernel has not
static int changed[CONNECTIONS], changes; // peers with something to be sent
static int starved[CONNECTIONS], hungry;  // peers that are to receive when there are buffers
static int sent[BUFFERS], sends;          // buffers of this turn, or NONE
static bool accepting;
static int connections;
static unsigned fixed, quiet; // flags of entries: 0 where it is plain

static void die(const char *what, int error)
{
	fprintf(stderr, "echo_uring: %s: %s\n", what, strerror(error));
	exit(error == EPERM || error == ENOSYS || error == EMFILE ? 3 : 1);
}

static struct io_uring_sqe *entry(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	if (!sqe) {
		int n = io_uring_submit(&ring);
		if (n < 0)
			die("submit", -n);
		if (!(sqe = io_uring_get_sqe(&ring)))
			die("submit", EBUSY);
	}
	return sqe;
}

// name comes last: the functions of liburing that fill an entry in clear what it sets.
static void name(struct io_uring_sqe *sqe, unsigned flags, int what, uint32_t number)
{
	sqe->flags = flags;
	sqe->user_data = (uint64_t)what << 32 | number;
}

static void accept_all(int listener)
{
	struct io_uring_sqe *sqe = entry();
	if (fixed)
		io_uring_prep_multishot_accept_direct(sqe, listener, NULL, NULL, 0);
	else
		io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
	name(sqe, 0, ACCEPT, 0);
	accepting = true;
}

static void receive(uint32_t number)
{
	struct io_uring_sqe *sqe = entry();
	io_uring_prep_recv_multishot(sqe, number, NULL, 0, 0);
	name(sqe, IOSQE_BUFFER_SELECT | fixed, RECEIVE, number);
	sqe->buf_group = GROUP;
	peers[number].receiving = true;
}

// stop ends the receive, whose last completion tells of it. A shutdown would not do: a worker thread makes it, when
// the descriptor may be another's.
static void stop(uint32_t number)
{
	if (!peers[number].receiving)
		return;
	struct io_uring_sqe *sqe = entry();
	io_uring_prep_cancel64(sqe, (uint64_t)RECEIVE << 32 | number, 0);
	name(sqe, IOSQE_CQE_SKIP_SUCCESS, OTHER, 0);
}

// starve notes that a peer is to receive once there are buffers.
static void starve(uint32_t number)
{
	if (!peers[number].starved) {
		peers[number].starved = true;
		starved[hungry++] = number;
	}
}

static void list(uint32_t number)
{
	if (!peers[number].listed) {
		peers[number].listed = true;
		changed[changes++] = number;
	}
}

static void give(int buffer)
{
	io_uring_buf_ring_add(provided, memory + (size_t)buffer * STRIDE, SIZE, buffer, BUFFERS - 1, back++);
	lent--;
}

static void send_first(uint32_t number, bool waits)
{
	int b = peers[number].first;
	struct io_uring_sqe *sqe = entry();
	io_uring_prep_send(sqe, number, memory + (size_t)b * STRIDE + buffers[b].from, buffers[b].to - buffers[b].from,
			   MSG_WAITALL | MSG_NOSIGNAL | (waits ? 0 : MSG_DONTWAIT));
	if (waits) {
		name(sqe, fixed, FINISH, number);
	} else {
		name(sqe, fixed | quiet, SEND, sends);
		sent[sends++] = b;
	}
}

// drop gives back all that a peer has waiting.
static void drop(struct peer *p)
{
	for (int b = p->first; b != NONE; b = buffers[b].next)
		give(b);
	p->first = p->last = NONE;
}

// settle does what is next for a peer: more to send, to receive again, or to go.
static void settle(uint32_t number)
{
	struct peer *p = &peers[number];
	if (p->blocked)
		return;
	if (p->first != NONE) {
		list(number);
	} else if (p->ended && !p->receiving) {
		struct io_uring_sqe *sqe = entry();
		if (fixed)
			io_uring_prep_close_direct(sqe, number);
		else
			io_uring_prep_close(sqe, number);
		name(sqe, IOSQE_CQE_SKIP_SUCCESS, OTHER, 0);
		connections--;
	} else if (!p->ended && !p->receiving) {
		starve(number);
	}
}

// advance takes what has been sent off the front; error: the peer is gone.
static void advance(uint32_t number, int result)
{
	struct peer *p = &peers[number];
	int b = p->first;
	if (result < 0) {
		drop(p);
		p->ended = true;
		stop(number);
		return;
	}
	buffers[b].from += result;
	if (buffers[b].from < buffers[b].to)
		return;
	if ((p->first = buffers[b].next) == NONE)
		p->last = NONE;
	give(b);
}

static void received(uint32_t number, const struct io_uring_cqe *cqe)
{
	struct peer *p = &peers[number];
	if (!(cqe->flags & IORING_CQE_F_MORE))
		p->receiving = false;
	if (cqe->flags & IORING_CQE_F_BUFFER) {
		int b = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
		lent++;
		if (cqe->res <= 0 || p->ended) {
			give(b);
		} else {
			buffers[b].next = NONE, buffers[b].from = 0, buffers[b].to = cqe->res, buffers[b].peer = number;
			if (p->first == NONE)
				p->first = b;
			else
				buffers[p->last].next = b;
			p->last = b;
		}
	}
	if (cqe->res <= 0 && cqe->res != -ENOBUFS && cqe->res != -ECANCELED)
		p->ended = true;
	if (p->first != NONE || !p->receiving)
		settle(number);
}

static void accepted(const struct io_uring_cqe *cqe)
{
	if (!(cqe->flags & IORING_CQE_F_MORE))
		accepting = false;
	if (cqe->res < 0) {
		if (cqe->res != -ENFILE && cqe->res != -EMFILE && cqe->res != -ECONNABORTED)
			die("accept", -cqe->res);
		return;
	}
	if (cqe->res >= CONNECTIONS)
		die("descriptors", EMFILE);
	peers[cqe->res] = (struct peer){.first = NONE, .last = NONE};
	connections++;
	receive(cqe->res);
}

// block is for a peer that does not take its answers: wait for it, and receive no more.
static void block(uint32_t number)
{
	struct peer *p = &peers[number];
	p->blocked = true;
	send_first(number, true);
	stop(number);
}

static void completed(const struct io_uring_cqe *cqe)
{
	uint32_t number = cqe->user_data;
	switch (cqe->user_data >> 32) {
	case RECEIVE:
		received(number, cqe);
		break;
	case ACCEPT:
		accepted(cqe);
		break;
	case SEND: {
		int b = sent[number];
		uint32_t peer = buffers[b].peer;
		if (cqe->res > 0 && (uint32_t)cqe->res == buffers[b].to - buffers[b].from)
			break; // finish sees to it; else it went in part, or not at all
		sent[number] = NONE;
		if (cqe->res != -EAGAIN)
			advance(peer, cqe->res);
		if (peers[peer].first != NONE)
			block(peer);
		else
			settle(peer);
		break;
	}
	case FINISH:
		peers[number].blocked = false;
		advance(number, cqe->res);
		settle(number);
		break;
	case STDIN:
		exit(0);
	}
}

static void reap(void)
{
	struct io_uring_cqe *cqe;
	unsigned head, seen;
	do {
		seen = 0;
		io_uring_for_each_cqe(&ring, head, cqe) {
			completed(cqe);
			seen++;
		}
		io_uring_cq_advance(&ring, seen);
	} while (io_uring_cq_has_overflow(&ring) && io_uring_get_events(&ring) >= 0);
}

// finish takes off what the kernel has not complained of. It has seen every send of the turn by now.
static void finish(void)
{
	for (int i = 0; i < sends; i++) {
		int b = sent[i];
		if (b == NONE)
			continue;
		uint32_t number = buffers[b].peer;
		advance(number, buffers[b].to - buffers[b].from);
		if (peers[number].first != NONE || !peers[number].receiving)
			settle(number);
	}
	sends = 0;
}

// prepare fills in what the next call submits, and returns how many completions that is to wait for: none where
// something is to be done as soon as the sends are, which complete without one.
static int prepare(int listener)
{
	int wait = 1;
	for (int i = 0; i < changes; i++) {
		struct peer *p = &peers[changed[i]];
		p->listed = false;
		if (p->first == NONE || p->blocked)
			continue;
		send_first(changed[i], false);
		if (p->first != p->last || !p->receiving)
			wait = 0;
	}
	changes = 0;
	if (back) {
		io_uring_buf_ring_advance(provided, back);
		back = 0;
	}
	if (hungry && lent < BUFFERS) {
		for (int i = 0; i < hungry; i++) {
			struct peer *p = &peers[starved[i]];
			p->starved = false;
			if (!p->receiving && !p->ended && !p->blocked)
				receive(starved[i]);
		}
		hungry = 0;
	}
	if (hungry && sends)
		wait = 0;
	if (!accepting && connections < CONNECTIONS)
		accept_all(listener);
	return wait;
}

static void make_ring(void)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE,
		.cq_entries = 4 * ENTRIES,
	};
	int e = io_uring_queue_init_params(ENTRIES, &ring, &params);
	if (e)
		die("io_uring_setup", -e);
	if ((e = io_uring_register_ring_fd(&ring)) != 1)
		die("register the ring", -e);
	if (fixed && (e = io_uring_register_files_sparse(&ring, CONNECTIONS)))
		die("register files", -e);

	size_t rings = BUFFERS * sizeof(struct io_uring_buf);
	provided = mmap(NULL, rings + BUFFERS * STRIDE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (provided == MAP_FAILED)
		die("mmap", errno);
	memory = (char *)provided + rings;
	struct io_uring_buf_reg reg = {.ring_addr = (uintptr_t)provided, .ring_entries = BUFFERS, .bgid = GROUP};
	if ((e = io_uring_register_buf_ring(&ring, &reg, 0)))
		die("register buffers", -e);
	io_uring_buf_ring_init(provided);
	lent = BUFFERS;
	for (int i = 0; i < BUFFERS; i++)
		give(i);
}

static int listen_somewhere(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 4096) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) || // which those that it accepts inherit
	    getsockname(fd, (struct sockaddr *)&at, &size))
		die("listen", errno);
	printf("127.0.0.1:%d\n", ntohs(at.sin_port));
	fflush(stdout);
	return fd;
}

int main(int argc, char **argv)
{
	struct rlimit files;
	if (argc != 2 || (strcmp(argv[1], "plain") && strcmp(argv[1], "direct"))) {
		fprintf(stderr, "usage: echo_uring plain|direct\n");
		return 2;
	}
	if (!strcmp(argv[1], "direct")) {
		fixed = IOSQE_FIXED_FILE;
		quiet = IOSQE_CQE_SKIP_SUCCESS;
	}
	if (!getrlimit(RLIMIT_NOFILE, &files)) { // the table of the ring may be as long as this
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	make_ring();
	int listener = listen_somewhere();
	static char end;
	struct io_uring_sqe *sqe = entry();
	io_uring_prep_read(sqe, STDIN_FILENO, &end, 1, 0);
	name(sqe, 0, STDIN, 0);
	for (;;) {
		int wait = prepare(listener), n = io_uring_submit_and_wait(&ring, wait);
		if (n < 0 && n != -EINTR)
			die("io_uring_enter", -n);
		reap();
		finish();
	}
}
