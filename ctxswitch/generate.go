package ctxswitch

//go:generate go tool bpf2go -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 -no-global-types -tags linux sched switch.bpf.c -- -std=gnu11 -mcpu=v3 -Wall -Wextra -Wno-unused-parameter -Werror -I../internal/bpf/include
//go:generate go run ../internal/bpf/gen sched_x86_bpfel.o sched_arm64_bpfel.o
