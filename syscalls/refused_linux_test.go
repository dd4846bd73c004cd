package syscalls

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ring3-go/ring3/internal/seccomp"
)

// A refusal is a wrapper whose call the kernel refuses by nothing but a filter, whatever Go can pass to it.
type refusal struct {
	name   string
	number int
	first  *uint32 // of the arguments; nil is any
	call   func() (zero bool, err error)
}

func refusals() []refusal {
	none := new(uint32)
	return append(archRefusals(), []refusal{
		{"Getcpu", unix.SYS_GETCPU, nil, func() (bool, error) { cpu, node, err := Getcpu(); return cpu == 0 && node == 0, err }},
		{"Personality", unix.SYS_PERSONALITY, nil, func() (bool, error) { p, err := Personality(ADDR_NO_RANDOMIZE); return p == 0, err }},
		{"CurrentPersonality", unix.SYS_PERSONALITY, nil, func() (bool, error) { p, err := CurrentPersonality(); return p == 0, err }},
		// The runtime takes the stack back when the thread ends; asking is what has no first argument.
		{"Sigaltstack", unix.SYS_SIGALTSTACK, none, func() (bool, error) { s, err := Sigaltstack(); return s == SignalStack{}, err }},
		{"SetRobustList", unix.SYS_SET_ROBUST_LIST, nil, func() (bool, error) { return true, SetRobustList(nil) }},
		{"MembarrierQuery", unix.SYS_MEMBARRIER, none, func() (bool, error) { c, err := MembarrierQuery(); return c == 0, err }},
	}...)
}

func TestRefusalsOfAFilterAreErrors(t *testing.T) {
	for _, r := range refusals() {
		t.Run(r.name, func(t *testing.T) {
			onThread(func() {
				// The filter's errno is one that no kernel gives for these.
				if _, err := r.call(); isError(err, unix.EXFULL) {
					t.Errorf("without the filter: %v", err)
				}
				err := seccomp.InstallThread(seccomp.Rule{
					From: uint32(r.number), To: uint32(r.number), First: r.first,
					Action: unix.SECCOMP_RET_ERRNO | uint32(unix.EXFULL),
				})
				if err != nil {
					t.Error(err)
					return
				}
				if zero, err := r.call(); !zero || !isError(err, unix.EXFULL) {
					t.Errorf("with the filter: %v, with nothing else: %v", err, zero)
				}
			})
		})
	}
}
