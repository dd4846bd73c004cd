package reactor

// chunkSize is what a piece of kept output holds. With its header it fills a size class of the allocator.
const chunkSize = 16<<10 - 32

// A chunk is a piece of output. Chunks do not move, so a kernel that sends one later may be given its address.
type chunk struct {
	next       *chunk
	start, end int // what is not sent yet
	data       [chunkSize]byte
}

// chunks is the loop's supply of them.
type chunks struct {
	free *chunk
	n    int
}

// maxFree is how many chunks a loop keeps for later, 4 MiB of them.
const maxFree = 256

func (s *chunks) get() *chunk {
	c := s.free
	if c == nil {
		return new(chunk)
	}
	s.free, s.n = c.next, s.n-1
	c.next, c.start, c.end = nil, 0, 0
	return c
}

func (s *chunks) put(c *chunk) {
	if s.n < maxFree {
		c.next, s.free, s.n = s.free, c, s.n+1
	}
}

// An output is what a connection has written and the kernel has not taken, in order.
type output struct {
	head, tail *chunk
	size       int
}

// append copies b to the end.
func (o *output) append(s *chunks, b []byte) {
	o.size += len(b)
	for len(b) > 0 {
		if o.tail == nil {
			o.head = s.get()
			o.tail = o.head
		} else if o.tail.end == chunkSize {
			o.tail.next = s.get()
			o.tail = o.tail.next
		}
		n := copy(o.tail.data[o.tail.end:], b)
		o.tail.end += n
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
