//go:build ignore

// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
//
// Counts page faults by class, times them, and accounts for those that no probe can see.
//
// A fault has a beginning and a completion, and there are two ways to see each. User space loads the
// pair that the kernel allows (backend_linux.go):
//
//   beginning   tp_btf/page_fault_{user,kernel}: every exception, with its error code; x86 alone
//               perf event PAGE_FAULTS: the same moment on every architecture, without the code
//   completion  fentry, fexit/handle_mm_fault: with the VMA and the result; sees get_user_pages, which
//               raises no exception
//               perf events PAGE_FAULTS_{MIN,MAJ}: mm_account_fault() raises them right after it adds
//               one to min_flt or maj_flt, but not for get_user_pages
//
// The kernel's own counters (min_flt + maj_flt) are read at every completion. What they grew by beyond
// the completions that we saw was counted without an exception: "exec" inside execve, "unseen"
// elsewhere. A count of ours is never made up from them.
#include "key.h"
#include "vma.h"

// Bits of task_state.flags; the lower half is scope.h's.
enum {
	FAULT_PRESENT = 1 << 16, // the page was there, so the access was refused for another reason
	FAULT_HUGE = 1 << 17, // a huge page was allocated for it
	FAULT_SWAP = 1 << 18, // it went through do_swap_page()
	FAULT_KERNEL = 1 << 19, // the kernel's own access
	FAULT_BITS = FAULT_PRESENT | FAULT_HUGE | FAULT_SWAP | FAULT_KERNEL,
	TASK_IN_EXEC = 1 << 20, // from the first page that execve allocates until it is left
	TASK_KNOWN = 1 << 21, // `counted` was read, so a difference from it means something
};

struct task_state {
	u32 flags;
	u32 access; // of the fault in progress
	u32 class; // of the last one
	u64 began_ns; // 0 between faults
	u64 address;
	u64 counted; // min_flt + maj_flt when last looked at
	u64 mm; // 0: not known
	u64 mm_sequence; // vma is right while the address space's is this
	struct vma vma;
};

#include "hist.h"
#include "scope.h"
#include "cost.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile u32 huge_order = 9; // log2 of the base pages in a huge page
const volatile u32 nr_execve, nr_execveat; // of this architecture
const volatile u32 tells_presence; // some loaded program sets FAULT_PRESENT
const volatile u32 tells_swap; // some loaded program sets FAULT_SWAP, or there is no swap

enum access { ACCESS_UNKNOWN, ACCESS_READ, ACCESS_WRITE, ACCESS_EXECUTE };

enum event {
	EVENT_UNKNOWN,
	EVENT_FIRST_TOUCH,
	EVENT_COPY_ON_WRITE, // a private copy was made, or the last owner's page taken over
	EVENT_WRITE_PROTECT, // shared memory: the first write to a clean page
	EVENT_HUGE, // a huge page, by whatever touch
	EVENT_SWAP_IN,
	EVENT_USERFAULT, // served by userfaultfd
	EVENT_SPURIOUS, // present and readable: another thread was first
	EVENT_FAILED, // the program's access was not resolved: a signal
	EVENT_FIXED_UP, // the kernel's access was not, and it made other arrangements
};

// class.go takes this apart.
static __always_inline u32 class_of(u32 memory, u32 event, u32 access, u32 major)
{
	return memory << 8 | event << 4 | access << 1 | major;
}

struct totals {
	u64 completed[2]; // minor, major
	u64 failed, fixed_up;
	u64 exec, unseen;
	u64 completions; // runs of the completing perf program, in scope or not
};

struct class_stats {
	struct hist time; // of those whose beginning was seen
	u64 count; // last, so that it shares a cache line with the histogram's sums
};

struct who_stats {
	u64 count, major, time_ns, time_ns_max;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct totals);
} totals SEC(".maps");

// A histogram for each class that could be would be a megabyte a CPU. A class gets a slot here when it is
// first seen, the same on every CPU; slots says which.
#define CLASS_SLOTS 96
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CLASS_SLOTS);
	__type(key, u32);
	__type(value, struct class_stats);
} classes SEC(".maps");

#define CLASS_MAX 2048 // class_of() stays below; a power of two
struct slots {
	u32 used; // slots handed out
	u32 of_class[CLASS_MAX]; // the slot plus one; 0 for a class never seen
};
struct slots slots;

u32 execs; // tasks with TASK_IN_EXEC

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1); // sized by user space when `by` is set
	__type(key, struct key);
	__type(value, struct who_stats);
} who SEC(".maps");

const struct who_stats no_who_stats; // what a new entry begins as

static __always_inline struct totals *this_cpu_totals(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&totals, &zero);
}

enum { // of the 32-bit tables
	COMPAT_EXECVE = 11,
#if defined(__TARGET_ARCH_x86)
	COMPAT_EXECVEAT = 358,
#else
	COMPAT_EXECVEAT = 387,
#endif
};

static __always_inline bool in_execve(struct task_struct *task)
{
	u32 nr = syscall_of(task);

	if (nr == COMPAT_EXECVE || nr == COMPAT_EXECVEAT)
		return in_compat_syscall(task);
	return nr == nr_execve || nr == nr_execveat;
}

// Books what the kernel counted without a completion of ours: `seen` of the growth were ours.
static __always_inline void settle(struct task_struct *task, struct task_state *st, struct totals *t, u64 seen)
{
	u64 now = task->min_flt + task->maj_flt;
	s64 gap = now - st->counted - seen;

	if (st->flags & TASK_KNOWN && gap > 0) {
		if (st->flags & TASK_IN_EXEC)
			t->exec += gap;
		else
			t->unseen += gap;
	}
	st->counted = now;
	st->flags |= TASK_KNOWN;
}

static __always_inline void leave_exec(struct task_state *st)
{
	if (!(st->flags & TASK_IN_EXEC))
		return;
	st->flags &= ~TASK_IN_EXEC;
	__sync_fetch_and_add(&execs, -1);
}

static __always_inline struct class_stats *class_stats(u32 class)
{
	opaque(class); // or the compiler drops a mask that the verifier needs
	class &= CLASS_MAX - 1;
	u32 slot = READ_ONCE(slots.of_class[class]);
	if (unlikely(!slot)) {
		// Where two CPUs see a class first at the same time, one of their slots stays unused.
		u32 fresh = __sync_fetch_and_add(&slots.used, 1) + 1;
		slot = __sync_val_compare_and_swap(&slots.of_class[class], 0, fresh);
		if (!slot)
			slot = fresh;
	}
	slot--;
	struct class_stats *c = bpf_map_lookup_elem(&classes, &slot);
	if (!c)
		count_loss(LOSS_MAP_FULL);
	return c;
}

// Names the mapped file in k. The VMA is this task's own and holds the file open.
static __always_inline void key_of_file(struct key *k, u64 address_of_file)
{
	struct file *file = (struct file *)address_of_file;
	struct inode *inode = NULL;
	struct super_block *sb = NULL;
	struct dentry *dentry = NULL;
	const unsigned char *name = NULL;

	if (!file)
		return;
	read_kernel(inode, &file->f_inode);
	read_kernel(k->inode, &inode->i_ino);
	read_kernel(sb, &inode->i_sb);
	read_kernel(k->device, &sb->s_dev);
	read_kernel(dentry, &file->f_path.dentry);
	read_kernel(name, &dentry->d_name.name);
	bpf_probe_read_kernel_str(k->file, sizeof(k->file), name);
}

static __noinline void count_who(struct task_struct *task, u32 class, u64 file, u32 major, u64 ns)
{
	struct key k = {};

	key_of_task(&k, task);
	if (by & BY_CLASS)
		k.what = class;
	if (by & BY_FILE)
		key_of_file(&k, file);
	struct who_stats *w = bpf_map_lookup_elem(&who, &k);
	if (!w) {
		bpf_map_update_elem(&who, &k, &no_who_stats, BPF_NOEXIST);
		w = bpf_map_lookup_elem(&who, &k);
		if (!w) {
			count_loss(LOSS_MAP_FULL);
			return;
		}
	}
	w->count++;
	w->major += major;
	w->time_ns += ns;
	if (ns > w->time_ns_max)
		w->time_ns_max = ns;
}

// Adds one fault to its class; began_ns 0 counts it without a time.
static __always_inline void count_class(struct task_struct *task, u32 class, u64 file, u64 began_ns)
{
	struct class_stats *c = class_stats(class);
	u64 ns = 0;

	if (began_ns)
		ns = elapsed(began_ns, bpf_ktime_get_ns());
	if (c) {
		c->count++;
		if (began_ns)
			hist_record(&c->time, ns);
	}
	if (by)
		count_who(task, class, file, class & 1, ns);
}

// An exception that got no completion before the task did something else. Its time is not known.
static __always_inline void count_unresolved(struct task_struct *task, struct task_state *st, struct totals *t)
{
	bool kernel = st->flags & FAULT_KERNEL;

	if (kernel)
		t->fixed_up++;
	else
		t->failed++;
	count_class(task, class_of(MEMORY_UNKNOWN, kernel ? EVENT_FIXED_UP : EVENT_FAILED, st->access, 0), 0, 0);
	st->began_ns = 0;
}

// Ends a fault that began and was never completed. It failed, or its completion was missed: then the kernel
// has counted it, and the program went on. Growth of the counter alone does not tell, since get_user_pages
// grows it too: a dying program writes its core with it, and a system call can go on to it after its own
// access to user memory failed. Such growth stays for settle().
static __noinline void give_up(struct task_struct *task, struct task_state *st)
{
	struct totals *t = this_cpu_totals();

	if (!t)
		return;
	bool dying = task->exit_code & 0x7f; // the number of the signal
	if (st->flags & TASK_KNOWN && !(st->flags & FAULT_KERNEL) && !dying &&
	    task->min_flt + task->maj_flt != st->counted) {
		count_loss(LOSS_EVENT);
		st->counted++;
		st->began_ns = 0;
		return;
	}
	count_unresolved(task, st, t);
}

static __always_inline void begin(u64 address, u32 access, u32 bits)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_state *st = observed(task);

	if (!st)
		return;
	if (st->began_ns)
		give_up(task, st);
	if (!(st->flags & TASK_KNOWN)) {
		st->counted = task->min_flt + task->maj_flt;
		st->flags |= TASK_KNOWN;
	}
	st->flags = (st->flags & ~FAULT_BITS) | bits;
	st->access = access;
	st->address = address;
	st->began_ns = bpf_ktime_get_ns();
}

static __always_inline u32 event_of(struct task_state *st, u32 major)
{
	struct vma *v = &st->vma;
	bool swappable = v->memory == MEMORY_ANON || v->memory == MEMORY_SHMEM;

	if (st->flags & FAULT_HUGE)
		return EVENT_HUGE;
	if (major && v->userfault)
		return EVENT_USERFAULT;
	if (st->flags & FAULT_SWAP || (major && swappable))
		return EVENT_SWAP_IN;
	if (!tells_presence || v->memory == MEMORY_UNKNOWN)
		return EVENT_UNKNOWN;
	if (st->flags & FAULT_PRESENT) {
		if (st->access != ACCESS_WRITE)
			return EVENT_SPURIOUS;
		if (v->userfault & VMA_UFFD_WP) // protected by userfaultfd, or as anywhere else
			return EVENT_UNKNOWN;
		return v->shared ? EVENT_WRITE_PROTECT : EVENT_COPY_ON_WRITE;
	}
	if (swappable && !tells_swap)
		return EVENT_UNKNOWN;
	// Since Linux 6.6 the try that waits for the handler is made under the lock of the mapping, and the one
	// that finds the page does not know of it: a minor fault.
	if (v->memory == MEMORY_ANON && (v->userfault & VMA_UFFD_MISSING))
		return EVENT_USERFAULT;
	// hugetlb: a private file of it there hardly is.
	if (v->memory != MEMORY_ANON && v->memory != MEMORY_HUGETLB && !v->shared && st->access == ACCESS_WRITE)
		return EVENT_COPY_ON_WRITE;
	return EVENT_FIRST_TOUCH;
}

static __always_inline void complete(struct task_struct *task, struct task_state *st, struct totals *t, u32 major)
{
	settle(task, st, t, 1);
	if (st->flags & TASK_IN_EXEC && !in_execve(task))
		leave_exec(st);
	t->completed[major & 1]++;
	// Through memory: so the verifier forgets by which of many ways it came.
	st->class = class_of(st->vma.memory, event_of(st, major), st->access, major);
	count_class(task, READ_ONCE(st->class), st->vma.file, st->began_ns);
	st->began_ns = 0;
}

// --- beginnings ---

// Error code bits (Intel SDM 3A 4.7): P 1, W 2, U 4, RSVD 8, I 16.
static __always_inline void begin_x86(u64 address, u64 code, u32 bits)
{
	u32 access = code & 16 ? ACCESS_EXECUTE : code & 2 ? ACCESS_WRITE : ACCESS_READ;

	begin(address, access, bits | (code & 1 ? FAULT_PRESENT : 0));
}

PROGRAM("tp_btf/page_fault_user", begin_user, u64, begin_x86(ctx[0], ctx[2], 0))

PROGRAM("tp_btf/page_fault_kernel", begin_kernel, u64, begin_x86(ctx[0], ctx[2], FAULT_KERNEL))

PROGRAM("perf_event", begin_perf, struct bpf_perf_event_data,
	begin(ctx->addr, ACCESS_UNKNOWN, from_user_mode(&ctx->regs) ? 0 : FAULT_KERNEL))

// --- completions ---

// Walks the address space for the VMA at address.
static __noinline void walk_to_vma(struct mm_struct *mm, struct task_state *st, u64 address)
{
	struct vm_area_struct *area = (struct vm_area_struct *)maple_find(mm, address);

	if (!area || !vma_read(&st->vma, area, address)) {
		st->vma.memory = MEMORY_UNKNOWN;
		st->vma.file = 0;
		st->vma.end = 0;
	}
}

// By the helper: for a pointer that is followed, the verifier looks through all of the kernel's types.
static __noinline void find_mm(struct task_struct *task, struct task_state *st)
{
	read_kernel(st->mm, &task->mm);
	st->vma.end = 0;
}

// Brings st->vma up to date, if it is not. A task has one address space until execve, but a kernel thread
// borrows those of others.
static __always_inline void find_vma(struct task_struct *task, struct task_state *st, u64 address)
{
	u64 changing = (task->flags & PF_KTHREAD) | (st->flags & TASK_IN_EXEC) | (nonzero(st->mm) ^ 1);

	opaque(changing);
	if (changing)
		find_mm(task, st);
	struct mm_struct *mm = (struct mm_struct *)st->mm;
	u64 sequence = mm_sequence(mm);
	u64 outside = ((address - st->vma.start) | (st->vma.end - 1 - address)) >> 63;
	u64 stale = outside | (sequence ^ st->mm_sequence);

	opaque(stale);
	if (!stale)
		return;
	st->mm_sequence = sequence + nonzero(sequence) - 1; // of a sequence of 0 nothing is right later
	walk_to_vma(mm, st, address);
}

static __always_inline void on_complete_perf(struct bpf_perf_event_data *ctx)
{
	u32 major = bpf_get_attach_cookie(ctx) & 1; // as user space attached it: which of the two events this is
	struct totals *t = this_cpu_totals();
	struct task_struct *task = bpf_get_current_task_btf();

	if (!t)
		return;
	t->completions++;
	struct task_state *st = observed(task);
	if (!st)
		return;
	if (st->began_ns && (st->address ^ ctx->addr) >> 12) {
		count_loss(LOSS_PAIR);
		st->began_ns = 0;
	}
	if (!st->began_ns) { // under way when observation began, or mispaired: nothing is known but that it was
		st->access = ACCESS_UNKNOWN;
		st->flags &= ~FAULT_BITS;
	}
	find_vma(task, st, ctx->addr);
	complete(task, st, t, major);
}

// One program for both events: to verify it takes longer than all others together.
PROGRAM("perf_event", complete_perf, struct bpf_perf_event_data, on_complete_perf(ctx))

enum { // include/linux/mm_types.h
	FAULT_FLAG_WRITE = 0x1,
	FAULT_FLAG_TRIED = 0x20,
	FAULT_FLAG_INSTRUCTION = 0x100,
	VM_FAULT_MAJOR = 0x4,
	VM_FAULT_RETRY = 0x400,
	VM_FAULT_ERROR = 0x873, // OOM, SIGBUS, HWPOISON, HWPOISON_LARGE, SIGSEGV, FALLBACK
};

// Runs again for each retry of one fault; the clock keeps the first beginning.
static __always_inline void on_enter_handle_mm_fault(u64 *ctx)
{
	struct vm_area_struct *area = (void *)ctx[0];
	u64 address = ctx[1], flags = ctx[2];
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_state *st = observed(task);

	if (!st)
		return;
	bool by_exception = ctx[3]; // its registers; get_user_pages has none
	if (!by_exception && st->began_ns && !(flags & FAULT_FLAG_TRIED))
		give_up(task, st);
	if (!st->began_ns) { // nothing but us sees this beginning
		st->began_ns = bpf_ktime_get_ns();
		st->flags &= ~FAULT_BITS;
		st->address = address;
		st->access = ACCESS_UNKNOWN;
	}
	if (st->access == ACCESS_UNKNOWN)
		st->access = flags & FAULT_FLAG_INSTRUCTION ? ACCESS_EXECUTE :
			     flags & FAULT_FLAG_WRITE	    ? ACCESS_WRITE :
							      ACCESS_READ;
	if (!vma_read(&st->vma, area, address))
		st->vma.memory = MEMORY_UNKNOWN;
}

PROGRAM("fentry/handle_mm_fault", enter_handle_mm_fault, u64, on_enter_handle_mm_fault(ctx))

static __always_inline void on_leave_handle_mm_fault(u64 *ctx)
{
	u64 flags = ctx[2], result = ctx[4];
	struct task_struct *task = bpf_get_current_task_btf();

	if (result & VM_FAULT_RETRY)
		return;
	struct task_state *st = observed(task);
	struct totals *t = this_cpu_totals();
	if (!st || !t)
		return;
	if (result & VM_FAULT_ERROR) {
		count_unresolved(task, st, t);
		return;
	}
	bool major = result & VM_FAULT_MAJOR || flags & FAULT_FLAG_TRIED;
	bool in_exec = !ctx[3] && in_execve(task); // get_user_pages on the new stack
	if (in_exec) {
		t->exec++;
		st->counted++;
		st->began_ns = 0;
		return;
	}
	if (!st->began_ns) // under way when observation began: its entry was not seen
		st->vma.memory = MEMORY_UNKNOWN;
	complete(task, st, t, major);
}

PROGRAM("fexit/handle_mm_fault", leave_handle_mm_fault, u64, on_leave_handle_mm_fault(ctx))

static __always_inline void mark(u32 bit)
{
	struct task_state *st = observed(bpf_get_current_task_btf());

	if (st && st->began_ns)
		st->flags |= bit;
}

PROGRAM("fentry/do_swap_page", enter_do_swap_page, u64, mark(FAULT_SWAP))

// A page comes back from swap, unless this is reclaim on the way to a page, which sends some out.
static __always_inline void on_rss_stat(u64 *ctx)
{
	if (ctx[1] == MM_SWAPENTS && !(bpf_get_current_task_btf()->flags & PF_MEMALLOC))
		mark(FAULT_SWAP);
}

PROGRAM("tp_btf/rss_stat", rss_stat, u64, on_rss_stat(ctx))

PROGRAM("fentry/do_wp_page", enter_do_wp_page, u64, mark(FAULT_PRESENT))

// --- what happens between ---

// execve builds the new address space, which takes a page, before it touches the new stack: here is the last
// moment at which all that the kernel counted belongs to what came before. When it has failed, the next page
// belongs to what comes after; when it has not, the new program's first fault may come first.
static __noinline void enter_or_leave_exec(struct task_struct *task, u32 entered)
{
	struct task_state *st = observed(task);
	struct totals *t = this_cpu_totals();

	if (!st || !t || !!(st->flags & TASK_IN_EXEC) == !!entered)
		return;
	settle(task, st, t, 0);
	if (entered) {
		st->flags |= TASK_IN_EXEC;
		__sync_fetch_and_add(&execs, 1);
	} else {
		leave_exec(st);
	}
}

// Every page that the kernel hands out: so the quick ways out come first.
static __always_inline void on_page_alloc(u64 *ctx)
{
	if (ctx[1] >= huge_order) {
		mark(FAULT_HUGE);
		return;
	}
	struct task_struct *task = bpf_get_current_task_btf();
	bool entered = in_execve(task);
	if (entered || READ_ONCE(execs))
		enter_or_leave_exec(task, entered);
}

PROGRAM("tp_btf/mm_page_alloc", page_alloc, u64, on_page_alloc(ctx))

static __always_inline void on_task_exec(u64 *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_state *st = observed(task);
	struct totals *t = this_cpu_totals();

	if (!st || !t)
		return;
	settle(task, st, t, 0);
	st->mm = 0;
}

PROGRAM("tp_btf/sched_process_exec", task_exec, u64, on_task_exec(ctx))

static __always_inline void on_task_new(u64 *ctx)
{
	struct task_struct *child = (void *)ctx[0];
	struct task_state *st = join_parent(child, ctx[1]);

	if (st) {
		st->counted = child->min_flt + child->maj_flt;
		st->flags |= TASK_KNOWN;
	}
}

PROGRAM("tp_btf/task_newtask", task_new, u64, on_task_new(ctx))

static __always_inline void on_task_exit(u64 *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_state *st = observed(task);
	struct totals *t = this_cpu_totals();

	if (!st || !t)
		return;
	if (st->began_ns)
		give_up(task, st);
	settle(task, st, t, 0);
	leave_exec(st);
}

PROGRAM("tp_btf/sched_process_exit", task_exit, u64, on_task_exit(ctx))
