package reactor

// Kept output lies in pieces of two sizes: most is a message or two that the driver sends in a moment, and what a peer does
// not take comes in bulk. With its header each fills a size class of the allocator.
const (
	smallChunk = 512 - chunkHeader
	largeChunk = 16<<10 - chunkHeader

	chunkHeader = 48
)

// A chunk is a piece of output. Chunks do not move, so a kernel that sends one later may be given its address.
type chunk struct {
	next       *chunk
	start, end int    // what is not sent yet
	data       []byte // all of it, in the same allocation
}

// chunks is the loop's supply of them.
type chunks struct{ small, large freeChunks }

// maxFree is how many bytes of chunks of one size a loop keeps for later.
const maxFree = 4 << 20

type freeChunks struct {
	first *chunk
	bytes int
}

func newChunk(n int) *chunk {
	if n <= smallChunk {
		c := new(struct {
			chunk
			data [smallChunk]byte
		})
		c.chunk.data = c.data[:]
		return &c.chunk
	}
	c := new(struct {
		chunk
		data [largeChunk]byte
	})
	c.chunk.data = c.data[:]
	return &c.chunk
}

// get returns an empty chunk, a small one where n bytes fit.
func (s *chunks) get(n int) *chunk {
	f := &s.large
	if n <= smallChunk {
		f = &s.small
	}
	c := f.first
	if c == nil {
		return newChunk(n)
	}
	f.first, f.bytes = c.next, f.bytes-len(c.data)
	c.next, c.start, c.end = nil, 0, 0
	return c
}

func (s *chunks) put(c *chunk) {
	f := &s.large
	if len(c.data) == smallChunk {
		f = &s.small
	}
	if f.bytes < maxFree {
		c.next, f.first, f.bytes = f.first, c, f.bytes+len(c.data)
	}
}

// An output is what a connection has written and the kernel has not taken, in order.
type output struct {
	head, tail *chunk
	size       int
}

// append copies b to the end.
func (o *output) append(s *chunks, b []byte) {
	for len(b) > 0 {
		switch {
		case o.tail == nil:
			o.head = s.get(len(b))
			o.tail = o.head
		case o.tail.end == len(o.tail.data):
			o.tail.next = s.get(max(len(b), o.size)) // where there is much, more will come
			o.tail = o.tail.next
		}
		n := copy(o.tail.data[o.tail.end:], b)
		o.tail.end += n
		o.size += n
		b = b[n:]
	}
}

// consume drops n bytes from the front.
func (o *output) consume(s *chunks, n int) {
	o.size -= n
	for n > 0 {
		c := o.head
		k := min(n, c.end-c.start)
		c.start += k
		n -= k
		if c.start < c.end {
			return
		}
		if o.head = c.next; o.head == nil {
			o.tail = nil
		}
		s.put(c)
	}
}

// clear drops everything.
func (o *output) clear(s *chunks) { o.consume(s, o.size) }
