package iouring

import (
	"errors"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/syscalls"
)

// TestCloseFromAnotherThreadLeavesItsRingsAlone closes a registered ring on a thread that has registered one too. Both
// have the same slot, each of its thread.
func TestCloseFromAnotherThreadLeavesItsRingsAlone(t *testing.T) {
	r := newRing(t, Options{SingleIssuer: true})
	if r.Flags()&syscalls.IORING_SETUP_SINGLE_ISSUER == 0 {
		t.Skip("no IORING_SETUP_SINGLE_ISSUER before 6.0")
	}
	must(t, r.RegisterRingFD())
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		done <- func() error {
			own, err := New(Options{SingleIssuer: true})
			if err != nil {
				return err
			}
			defer own.Close()
			if err := own.RegisterRingFD(); err != nil {
				return err
			}
			if own.enterFD != r.enterFD {
				return errors.New("the slots are not the same: nothing is tested")
			}
			if err := r.Close(); !errors.Is(err, ErrWrongThread) {
				return errors.Join(errors.New("no ErrWrongThread"), err)
			}
			e, err := own.Get()
			if err != nil {
				return err
			}
			if err := e.Nop(); err != nil {
				return err
			}
			_, err = own.SubmitAndWait(1, longest)
			return err
		}()
	}()
	must(t, <-done)
	reads(t, r) // the owner lost nothing
}

// TestATakenGroupIsNoWrongThread makes a ring of buffers of a group that has buffers already. The kernel has one number
// for that and for another thread.
func TestATakenGroupIsNoWrongThread(t *testing.T) {
	r := newRing(t, Options{SingleIssuer: true})
	result(t, do(t, r, func(e Entry) error { return e.ProvideBuffers(make([]byte, 8), 8, 1, 3, 0) }), 0)
	_, err := r.NewBufRing(BufRingOptions{Group: 3, Buffers: 1, Size: 8})
	want(t, err, unix.EEXIST)
	if errors.Is(err, ErrWrongThread) {
		t.Error(err)
	}
}
