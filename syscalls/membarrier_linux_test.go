package syscalls

import (
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/features"
	"github.com/ring3-go/ring3/internal/features/featuretest"
)

// Registrations are a process's for good, so each run has a new one.
var membarrierChild = addChild("membarrier", func() error {
	for _, c := range []struct{ register, barrier MembarrierCommand }{
		{MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, MEMBARRIER_CMD_PRIVATE_EXPEDITED},
		{MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE},
		{MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ},
	} {
		if err := Membarrier(c.barrier); !isError(err, unix.EPERM) {
			return fmt.Errorf("%v before the registration: %w", c.barrier, err)
		}
		if err := Membarrier(c.register); err != nil {
			return fmt.Errorf("%v: %w", c.register, err)
		}
		if err := Membarrier(c.barrier); err != nil {
			return fmt.Errorf("%v: %w", c.barrier, err)
		}
	}
	return nil
})

var membarrierCPUChild = addChild("membarrier of one CPU", func() error {
	if err := MembarrierRseqCPU(0); !isError(err, unix.EPERM) {
		return fmt.Errorf("before the registration: %w", err)
	}
	return errors.Join(Membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ), MembarrierRseqCPU(0), MembarrierRseqCPU(1<<30))
})

var membarrierRegistrationsChild = addChild("membarrier registrations", func() error {
	var made MembarrierCommand
	for _, c := range []MembarrierCommand{
		0, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
		MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ,
	} {
		if c != 0 {
			if err := Membarrier(c); err != nil {
				return err
			}
		}
		made |= c
		if got, err := MembarrierRegistrations(); got != made || err != nil {
			return fmt.Errorf("the process has %v, %w; want %v", got, err, made)
		}
	}
	return nil
})

func TestBarriersNeedARegistration(t *testing.T) { runChild(t, membarrierChild) }
func TestBarrierOfOneCPU(t *testing.T)           { runChild(t, membarrierCPUChild) }

func TestRegistrationsAreRemembered(t *testing.T) {
	if _, err := MembarrierRegistrations(); err != nil {
		featuretest.Skip(t, features.MembarrierRegistrations, err)
	}
	runChild(t, membarrierRegistrationsChild)
}

func TestEveryBarrierOfThisKernelIsKnown(t *testing.T) {
	has, err := MembarrierQuery()
	if err != nil {
		t.Fatal(err)
	}
	const known = membarrierGetRegistrations<<1 - 1
	const old = membarrierGetRegistrations - 1 // all of 5.10
	if has&^known != 0 {
		t.Errorf("this kernel has %v", has)
	}
	if has&old|MEMBARRIER_CMD_GLOBAL != old { // the global one may be missing, where processors are tickless
		t.Errorf("this kernel has only %v", has)
	}
	if err := Membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED); err != nil {
		t.Error(err)
	}
	if has&MEMBARRIER_CMD_GLOBAL != 0 {
		if err := Membarrier(MEMBARRIER_CMD_GLOBAL); err != nil {
			t.Error(err)
		}
	}
	for _, c := range []MembarrierCommand{0, 3, membarrierGetRegistrations, 1 << 20} {
		expect(t, Membarrier(c), unix.EINVAL)
	}
	if got := (MEMBARRIER_CMD_GLOBAL | 1<<20).String(); got != "MEMBARRIER_CMD_GLOBAL|0x100000" {
		t.Error(got)
	}
}
