package syscalls

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// A FutexOp is what [FutexWakeOp] does to a word, and what the old value is compared with. The zero value stores
// 0, and compares with 0 for equality.
type FutexOp struct {
	Do      FutexChange     // what becomes of the word
	Arg     int             // of Do, -2048 to 2047; with Shifted 0 to 31
	Shifted bool            // Do's argument is 1<<Arg (FUTEX_OP_OPARG_SHIFT)
	If      FutexComparison // how what the word was is compared with Than
	Than    int             // what the old value is compared with, as a signed number: -2048 to 2047
}

// A FutexChange is how [FutexWakeOp] changes a word.
type FutexChange uint8

// Changes of [FutexWakeOp].
const (
	FUTEX_OP_SET  FutexChange = iota // the word becomes the argument
	FUTEX_OP_ADD                     // the argument is added
	FUTEX_OP_OR                      // its bits are set
	FUTEX_OP_ANDN                    // its bits are cleared
	FUTEX_OP_XOR                     // its bits are turned over
)

// String names the change as <linux/futex.h> does.
func (c FutexChange) String() string {
	return valueName(int64(c), []string{"FUTEX_OP_SET", "FUTEX_OP_ADD", "FUTEX_OP_OR", "FUTEX_OP_ANDN", "FUTEX_OP_XOR"})
}

// A FutexComparison is how [FutexWakeOp] compares what a word was, as a signed number.
type FutexComparison uint8

// Comparisons of [FutexWakeOp].
const (
	FUTEX_OP_CMP_EQ FutexComparison = iota // the old value is the number
	FUTEX_OP_CMP_NE                        // it is another
	FUTEX_OP_CMP_LT                        // it is below
	FUTEX_OP_CMP_LE                        // it is below or the number
	FUTEX_OP_CMP_GT                        // it is above
	FUTEX_OP_CMP_GE                        // it is above or the number
)

// String names the comparison as <linux/futex.h> does.
func (c FutexComparison) String() string {
	return valueName(int64(c), []string{"FUTEX_OP_CMP_EQ", "FUTEX_OP_CMP_NE", "FUTEX_OP_CMP_LT", "FUTEX_OP_CMP_LE",
		"FUTEX_OP_CMP_GT", "FUTEX_OP_CMP_GE"})
}

// encode packs the operation into a word: 4 bits of change, 4 of comparison, and 12 for each argument. It is
// not ok where something does not fit.
func (o FutexOp) encode() (uint32, bool) {
	fits := func(n int) bool { return n >= -2048 && n <= 2047 }
	ok := fits(o.Arg) && fits(o.Than) && o.Do <= FUTEX_OP_XOR && o.If <= FUTEX_OP_CMP_GE
	do := uint32(o.Do)
	if o.Shifted {
		do |= 8
		ok = ok && o.Arg >= 0 && o.Arg <= 31
	}
	return do<<28 | uint32(o.If)<<24 | uint32(o.Arg)&0xfff<<12 | uint32(o.Than)&0xfff, ok
}

// FutexWakeOp changes *addr2 by op, atomically, and wakes at most wake threads that wait on addr; then, if what
// *addr2 was compares as op says, at most wake2 that wait on addr2. It returns how many it woke together. One
// call thus unlocks one word and signals another.
//
// Errors: EINVAL, a count is negative or op does not fit; EFAULT.
//
// Since Linux 2.6.14. No privilege. Safe for concurrent use. futex(2), FUTEX_WAKE_OP.
func FutexWakeOp(addr *uint32, wake int, addr2 *uint32, wake2 int, op FutexOp, flags FutexFlags) (woken int, err error) {
	w, ok := futexCount(wake)
	w2, ok2 := futexCount(wake2)
	code, ok3 := op.encode()
	if !ok || !ok2 || !ok3 {
		return 0, futexError(unix.EINVAL)
	}
	r, _, errno := RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(addr)), uintptr(futexWakeOp|flags), w, w2,
		uintptr(unsafe.Pointer(addr2)), uintptr(code))
	if errno != 0 {
		return 0, futexError(errno)
	}
	return int(r), nil
}
