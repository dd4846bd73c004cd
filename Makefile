# "make help" lists the targets. Everything needs Go; a target that needs more says so.

GO       ?= go
FUZZTIME ?= 10s

# Runs arm64 programs on another processor; Debian's name for it, then everybody else's.
QEMU_ARM64 ?= $(shell command -v qemu-aarch64-static || command -v qemu-aarch64)

# The packages whose tests an emulated process can run: those that need the kernel for little else than
# files. The kernel matrix has the others, on arm64 too.
ARM64_PACKAGES ?= ./internal/hist ./internal/sysname/... ./internal/target ./asm ./asm/regs ./asm/syscall ./asm/privilege ./asm/cpuid ./asm/tsc \
	./asm/litmus ./asm/atomics ./asm/fiber ./asm/memory ./asm/pipeline

SOAK_PACKAGES ?= ./asm/litmus ./reactor ./mmu ./iouring ./pagefault

# What runs inside other kernels: all but what is about the source or about the matrix itself, in short
# forms, because emulation is slow.
KERNEL_PACKAGES  ?= $(filter-out %/docs %/floors %/gen %/kernelmatrix %/kernelmatrix/cmd %/kernelmatrix/guest,$(shell $(GO) list ./...))
KERNEL_ARGS      ?= -test.short
KERNEL_RUN       ?=

# What of it CI has time for, on every kernel: the books of the observers, and what every kernel must have.
KERNEL_CI_BOOKS  ?= TestBooksCloseToTheUnit|TestUserfaultIsServed|TestCallsOfHandleMmFaultAreNotFaults|TestTable
KERNEL_CI        ?= ./pagefault ./ctxswitch ./internal/features

.DEFAULT_GOAL := all
.PHONY: all help build test race checkptr vet lint generate check-generated test-arm64 test-kernels test-kernels-ci fuzz bench test-bench soak docs ci

all: build test ## build and test: what "make" does

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build every package
	$(GO) build ./...

test: ## run the tests
	$(GO) test ./...

# Without the kernel matrix: its tests are of other processes, and of how long those take. Nor the documents:
# there is no second goroutine.
race: ## run the tests under the race detector, which checks unsafe.Pointer conversions too (needs gcc)
	CGO_ENABLED=1 $(GO) test -race -short -timeout 30m $$($(GO) list ./... | grep -v -e /kernelmatrix -e /internal/docs -e /internal/floors)

checkptr: ## run the tests with every unsafe.Pointer conversion checked
	$(GO) test -gcflags=all=-d=checkptr ./...

vet: ## go vet for each processor, and that other systems compile
	GOOS=linux GOARCH=amd64 $(GO) vet ./...
	GOOS=linux GOARCH=arm64 $(GO) vet ./...
	GOOS=darwin GOARCH=arm64 $(GO) vet ./...
	GOOS=windows GOARCH=amd64 $(GO) vet ./...

lint: ## gofmt and staticcheck
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "run gofmt -w on:"; echo "$$unformatted"; exit 1; fi
	$(GO) tool staticcheck ./...
	GOARCH=arm64 "$$($(GO) tool -n staticcheck)" ./...
	check="$$($(GO) tool -n staticcheck)" && cd bench && "$$check" ./... && GOARCH=arm64 "$$check" ./...

generate: ## rebuild the eBPF objects and other generated files (needs clang-19, llvm-19)
	$(GO) generate ./...

check-generated: ## fail where generating changes a byte (leaves the new files)
	@before=$$(mktemp); after=$$(mktemp); trap 'rm -f "$$before" "$$after"' EXIT; \
	find . -path ./.git -prune -o -type f -exec sha256sum {} + | sort -k 2 > "$$before"; \
	$(MAKE) --no-print-directory generate || exit; \
	find . -path ./.git -prune -o -type f -exec sha256sum {} + | sort -k 2 > "$$after"; \
	diff "$$before" "$$after" || { echo "generated files were out of date: commit the new ones"; exit 1; }

test-arm64: ## run tests as arm64 processes (needs qemu-user-static)
	GOARCH=arm64 CGO_ENABLED=0 $(GO) test -exec "$(or $(QEMU_ARM64),$(error no qemu-aarch64 here: install qemu-user-static))" $(ARM64_PACKAGES)

test-kernels: ## run the tests inside Debian's kernels (needs apt, qemu-system-x86, qemu-system-arm, e2fsprogs)
	$(GO) run ./internal/kernelmatrix/cmd -parallel 2 -timeout 30m $(if $(KERNEL_RUN),-run '$(KERNEL_RUN)') $(KERNEL_PACKAGES) -- $(KERNEL_ARGS)

test-kernels-ci: ## the same, as far as it takes minutes and not an hour
	$(GO) run ./internal/kernelmatrix/cmd -parallel 2 -run '$(KERNEL_CI_BOOKS)' $(KERNEL_CI) -- -test.short

# One processor a target, as many at a time as there are. Now and then the go command takes its own deadline,
# FUZZTIME, for a failure; one of the target's own names a failing input.
fuzz: ## run each fuzz target for FUZZTIME
	@listed=$$($(GO) test -list '^Fuzz' ./...) || { echo "$$listed"; exit 1; }; \
	echo "$$listed" | awk '/^Fuzz/ { name[n++] = $$1 } /^ok/ { for (i = 0; i < n; i++) print name[i], $$2; n = 0 }' | \
	xargs -r -L 1 -P "$$(nproc)" sh -c 'out=$$($(GO) test -run "^$$" -fuzz "^$$0$$" -fuzztime $(FUZZTIME) -parallel 1 "$$1" 2>&1); \
		code=$$?; case "$$out" in *"Failing input"*|*panic*) ;; *"context deadline exceeded"*) code=0;; esac; printf "== %s %s\n%s\n" "$$1" "$$0" "$$out"; exit $$code'

bench: ## measure side by side with peers: module bench, takes a while
	$(GO) -C bench run .

test-bench: ## test module bench, without measuring
	$(GO) -C bench vet ./...
	GOARCH=arm64 $(GO) -C bench vet ./...
	GOOS=darwin GOARCH=arm64 $(GO) -C bench vet .
	$(GO) -C bench test ./...

# What a test does for seconds, done for as long as it takes to believe it.
soak: ## run the long forms of tests that have one: a quarter of an hour and more
	RING3_SOAK=60s $(GO) test -count=1 -timeout 60m -p 1 $(SOAK_PACKAGES)

docs: ## check links, commands and paths in documents, and who imports whom
	$(GO) test -count=1 ./internal/docs ./internal/floors

ci: ## all of the above, as the server does it
	.ci/run
