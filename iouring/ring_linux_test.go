package iouring

import (
	"bytes"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

func TestNopsOfEveryBatchCompleteInOrder(t *testing.T) {
	eachKind(t, func(t *testing.T, r *Ring) {
		for _, batch := range []int{1, 2, 63, 64} {
			var tokens, got []Token
			for range batch {
				e := get(t, r)
				must(t, e.Nop())
				tokens = append(tokens, e.Token())
			}
			ready, err := r.SubmitAndWait(batch, longest)
			must(t, err)
			if ready != batch {
				t.Fatalf("%d ready of %d", ready, batch)
			}
			for c := range r.Completions() {
				result(t, c, 0)
				got = append(got, c.Token)
			}
			equal(t, got, tokens)
		}
		if r.Live() != 0 {
			t.Errorf("%d operations live", r.Live())
		}
	})
}

func TestAnEntryThatNobodyFillsInIsANop(t *testing.T) {
	r := newRing(t, Options{})
	e := get(t, r)
	if n, err := r.Submit(); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if c := next(t, r); c.Token != e.Token() || c.Res != 0 {
		t.Fatal(c)
	}
}

func TestAFullQueueIsAnErrorAndLosesNothing(t *testing.T) {
	r := newRing(t, Options{Entries: 4})
	for range 4 {
		must(t, get(t, r).Nop())
	}
	_, err := r.Get()
	want(t, err, ErrFull)
	if r.Room() != 0 {
		t.Errorf("room for %d", r.Room())
	}
	if n, err := r.Submit(); n != 4 || err != nil {
		t.Fatal(n, err)
	}
	nextOf(t, r, 4)
	if r.Room() != 4 || r.Live() != 0 {
		t.Errorf("room for %d, %d live", r.Room(), r.Live())
	}
}

func TestAnEntryIsForOneOperation(t *testing.T) {
	r := newRing(t, Options{})
	want(t, Entry{}.Nop(), ErrStale)
	e := get(t, r)
	must(t, e.Nop())
	want(t, e.Fsync(0, 0), ErrStale) // filled in
	want(t, e.SetFlags(syscalls.IOSQE_ASYNC), nil)
	_, err := r.Submit()
	must(t, err)
	want(t, e.Nop(), ErrStale) // submitted
	want(t, e.SetFlags(0), ErrStale)
	next(t, r)
	other := get(t, r) // has the slot of e
	if other.Token().Slot() != e.Token().Slot() || other.Token() == e.Token() {
		t.Fatalf("tokens %v, %v", e.Token(), other.Token())
	}
	want(t, e.Nop(), ErrStale)
	want(t, r.Drop(e.Token()), ErrStale)
}

func TestABadArgumentLeavesTheEntryOpen(t *testing.T) {
	r := newRing(t, Options{})
	e := get(t, r)
	for what, err := range map[string]error{
		"path with NUL": e.Openat(unix.AT_FDCWD, "a\x00b", 0, 0),
		"buffers":       e.Readv(0, make([][]byte, 1025), 0, 0),
		"statx":         e.Statx(0, "", 0, 0, nil),
		"message":       e.Sendmsg(0, nil, 0),
		"negative time": e.Timeout(-1, 0, 0),
		"futex":         e.FutexWait(nil, 0, 0, 0),
		"futexes":       e.FutexWaitv(nil),
		"events":        e.EpollWait(0, nil),
		"descriptors":   e.FilesUpdate(nil, 0),
		"pipe":          e.Pipe(nil, 0),
		"command":       e.UringCmd(0, 0, make([]byte, 17), nil, 0),
		"provided":      e.ProvideBuffers(make([]byte, 10), 4, 3, 0, 0),
		"user data":     e.PollUpdate(0, 0, syscalls.IORING_POLL_UPDATE_USER_DATA),
		"group":         e.SetFlags(syscalls.IOSQE_BUFFER_SELECT),
	} {
		if !strings.Contains(err.Error(), "iouring: ") {
			t.Errorf("%s: %v", what, err)
		}
		want(t, err, unix.EINVAL)
	}
	must(t, e.Nop())
	_, err := r.Submit()
	must(t, err)
	result(t, next(t, r), 0)
}

func TestAClosedRingIsAnError(t *testing.T) {
	eachKind(t, func(t *testing.T, r *Ring) {
		e := get(t, r)
		must(t, r.Close())
		must(t, r.Close())
		want(t, e.Nop(), ErrStale)
		_, err := r.Get()
		want(t, err, ErrClosed)
		want(t, err, fs.ErrClosed)
		_, err = r.Submit()
		want(t, err, ErrClosed)
		_, err = r.SubmitAndWait(1, -1)
		want(t, err, ErrClosed)
		want(t, r.RegisterFiles([]int{0}), ErrClosed)
		_, err = r.Probe()
		want(t, err, ErrClosed)
		_, err = r.NewBufRing(BufRingOptions{Buffers: 1, Size: 1})
		want(t, err, ErrClosed)
		want(t, r.Drop(e.Token()), ErrStale)
		if n := r.Reap(make([]Completion, 1)); n != 0 || r.Ready() != 0 || r.Room() != 0 || r.FD() != -1 {
			t.Error("a closed ring has something")
		}
		for c := range r.Completions() {
			t.Error(c)
		}
	})
}

func TestCloseGivesMappingsAndDescriptorsBack(t *testing.T) {
	before := mappings(t)
	for range 50 {
		r, err := New(Options{Entries: 8})
		must(t, err)
		must(t, get(t, r).Nop())
		_, err = r.Submit()
		must(t, err)
		must(t, r.Close())
	}
	if after := mappings(t); after != before {
		t.Errorf("%d mappings of rings before, %d after", before, after)
	}
}

func TestChildrenDoNotHaveTheQueues(t *testing.T) {
	newRing(t, Options{})
	text, err := os.ReadFile("/proc/self/smaps")
	must(t, err)
	found, ofRing := 0, false
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "-") && strings.Contains(line, ":") && !strings.HasPrefix(line, "VmFlags") && strings.Contains(line, " ") && len(strings.Fields(line)) >= 5 {
			ofRing = strings.Contains(line, "anon_inode:[io_uring]")
		}
		if flags, ok := strings.CutPrefix(line, "VmFlags:"); ok && ofRing {
			found++
			if !strings.Contains(flags, " dc") {
				t.Errorf("mapping is copied by fork: %s", flags)
			}
		}
	}
	if found < 2 {
		t.Errorf("%d mappings of the ring", found)
	}
}

func TestAnotherThreadIsAnError(t *testing.T) {
	r := newRing(t, Options{SingleIssuer: true})
	if r.Flags()&syscalls.IORING_SETUP_SINGLE_ISSUER == 0 {
		t.Skip("no IORING_SETUP_SINGLE_ISSUER before 6.0")
	}
	must(t, get(t, r).Nop())
	elsewhere := make(chan error)
	go func() { // on another thread, because this one is locked
		_, err := r.Submit()
		elsewhere <- err
		_, err = r.SubmitAndWait(1, longest)
		elsewhere <- err
		elsewhere <- r.RegisterFiles([]int{0})
		elsewhere <- r.Close()
	}()
	for range 4 {
		want(t, <-elsewhere, ErrWrongThread)
	}
	result(t, next(t, r), 0) // the owner lost nothing
}

// TestGenerationsRunOut lets slots come to the end of their generations: none is used again, so no token is.
func TestGenerationsRunOut(t *testing.T) {
	r := newRing(t, Options{Entries: 8})
	seen := make(map[Token]bool)
	for i := range r.slots {
		r.slots[i].generation = math.MaxUint32 - uint32(i%3)
	}
	for range 100 {
		var batch []Token
		for range 8 {
			e := get(t, r)
			must(t, e.Nop())
			if seen[e.Token()] || e.Token().IsMessage() {
				t.Fatalf("token %v again", e.Token())
			}
			seen[e.Token()] = true
			batch = append(batch, e.Token())
		}
		if _, err := r.SubmitAndWait(8, longest); err != nil {
			t.Fatal(err)
		}
		var got []Token
		for c := range r.Completions() {
			got = append(got, c.Token)
			if r.InFlight(c.Token) {
				t.Fatalf("%v has ended", c.Token)
			}
		}
		equal(t, got, batch)
	}
}

// TestReadsAreWhatTheFileHas reads and writes at random, as the system call sees it.
func TestReadsAreWhatTheFileHas(t *testing.T) {
	eachKind(t, func(t *testing.T, r *Ring) {
		const size = 1 << 16
		content := make([]byte, size)
		random := rand.New(rand.NewPCG(1, 2))
		for i := range content {
			content[i] = byte(random.Uint32())
		}
		f := file(t, string(content))
		type read struct {
			b      []byte
			offset int
		}
		for range 20 {
			reads := make(map[Token]read)
			for range 32 {
				q := read{make([]byte, 1+random.IntN(5000)), random.IntN(size)}
				e := get(t, r)
				must(t, e.Read(f.fd, q.b, int64(q.offset)))
				reads[e.Token()] = q
			}
			for range 32 {
				c := next(t, r)
				q := reads[c.Token]
				expected := content[q.offset:min(q.offset+len(q.b), size)]
				if int(c.Res) != len(expected) || !bytes.Equal(q.b[:c.Res], expected) {
					t.Fatalf("%v: read %d at %d", c, len(q.b), q.offset)
				}
			}
			b, offset := make([]byte, 1000), random.IntN(size-1000)
			for i := range b {
				b[i] = byte(random.Uint32())
			}
			copy(content[offset:], b)
			result(t, do(t, r, func(e Entry) error { return e.Write(f.fd, b, int64(offset)) }), 1000)
			if f.contents() != string(content) {
				t.Fatal("the file is another")
			}
		}
	})
}

func TestChoicesSayWhatTheRingHas(t *testing.T) {
	for _, k := range kinds {
		r := newRing(t, k.options)
		for _, c := range r.Choices() {
			if c.Taken != (r.Flags()&c.Flag != 0) || c.Why == "" {
				t.Errorf("%s: %v: %+v", k.name, r.Flags(), c)
			}
			t.Logf("%s: %v: %v: %s", k.name, c.Flag, c.Taken, c.Why)
		}
		if k.options.Flags&^r.Flags() != 0 {
			t.Errorf("%v was demanded; got %v", k.options.Flags, r.Flags())
		}
	}
	r := newRing(t, Options{SingleIssuer: true, Without: syscalls.IORING_SETUP_DEFER_TASKRUN | syscalls.IORING_SETUP_NO_SQARRAY})
	if r.Flags()&(syscalls.IORING_SETUP_DEFER_TASKRUN|syscalls.IORING_SETUP_NO_SQARRAY) != 0 ||
		r.Flags()&syscalls.IORING_SETUP_COOP_TASKRUN == 0 {
		t.Errorf("flags %v", r.Flags())
	}
	result(t, do(t, r, Entry.Nop), 0)
}

func TestBadOptionsAreErrors(t *testing.T) {
	for name, o := range map[string]Options{
		"negative":          {Entries: -1},
		"too many":          {Entries: 1 << 16},
		"small completions": {Entries: 64, CQEntries: 8},
		"unknown flag":      {Flags: 1 << 31},
		"no single issuer":  {Flags: syscalls.IORING_SETUP_DEFER_TASKRUN},
		"affinity alone":    {Flags: syscalls.IORING_SETUP_SQ_AFF},
	} {
		r, err := New(o)
		if err == nil {
			r.Close()
		}
		t.Logf("%s: %v", name, err)
		want(t, err, unix.EINVAL)
	}
}
