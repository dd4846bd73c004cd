package syscalls

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/cilium/ebpf/btf"
)

// headerTypes are types that some kernel of the matrix lacks, as the uapi header of each group has them: the size,
// and each member with its own, in order and without gaps. A dot leads into an inner struct.
var headerTypes = map[string]string{
	// linux/eventpoll.h
	"epoll_params": "8 busy_poll_usecs:4 busy_poll_budget:2 prefer_busy_poll:1 __pad:1",

	// linux/kcmp.h
	"kcmp_epoll_slot": "12 efd:4 tfd:4 toff:4",

	// linux/fs.h
	"pm_scan_arg": "96 size:8 flags:8 start:8 end:8 walk_end:8 vec:8 vec_len:8 max_pages:8 category_inverted:8 " +
		"category_mask:8 category_anyof_mask:8 return_mask:8",
	"page_region": "24 start:8 end:8 categories:8",

	// linux/userfaultfd.h
	"uffdio_move":   "40 dst:8 src:8 len:8 mode:8 move:8",
	"uffdio_poison": "32 range:16 mode:8 updated:8",

	// linux/io_uring.h
	"io_uring_reg_wait":         "64 ts:16 min_wait_usec:4 flags:4 sigmask:8 sigmask_sz:4 pad:12 pad2:16",
	"io_uring_attr_pi":          "32 flags:2 app_tag:2 len:4 addr:8 seed:8 rsvd:8",
	"io_timespec":               "16 tv_sec:8 tv_nsec:8",
	"io_uring_task_restriction": "16 flags:2 nr_res:2 resv:12",
	"io_uring_buf_status":       "40 buf_group:4 head:4 resv:32",
	"io_uring_clock_register":   "16 clockid:4 __resv:12",
	"io_uring_region_desc":      "64 user_addr:8 size:8 flags:4 id:4 mmap_offset:8 __resv:32",
	"io_uring_mem_region_reg":   "32 region_uptr:8 flags:8 __resv:16",
	"io_uring_zcrx_offsets":     "32 head:4 tail:4 rqes:4 __resv2:4 __resv:16",
	"io_uring_zcrx_rqe":         "16 off:8 len:4 __pad:4",
	"io_uring_zcrx_cqe":         "16 off:8 __pad:8",
	"zcrx_ctrl":                 "72 zcrx_id:4 op:4 __resv:16 zc_export.zcrx_fd:4 zc_export.__resv1:44",

	// linux/io_uring/query.h
	"io_uring_query_hdr":  "40 next_entry:8 query_data:8 query_op:4 size:4 result:4 __resv:12",
	"io_uring_query_zcrx": "40 register_flags:8 area_flags:8 nr_ctrl_opcodes:4 features:4 rq_hdr_size:4 rq_hdr_alignment:4 __resv2:8",
	"io_uring_query_scq":  "16 hdr_size:8 hdr_alignment:8",

	// linux/io_uring/bpf_filter.h
	"io_uring_bpf":        "72 cmd_type:2 cmd_flags:2 resv:4 filter:64",
	"io_uring_bpf_filter": "64 opcode:4 flags:4 filter_len:4 pdu_size:1 resv:3 filter_ptr:8 resv2:40",
}

// headerStruct is a type of headerTypes. What it says must be without gaps and add up.
func headerStruct(name string) (kernelLayout, error) {
	words := strings.Fields(headerTypes[name])
	if len(words) == 0 {
		return kernelLayout{}, fmt.Errorf("no header has struct %s", name)
	}
	size, err := strconv.Atoi(words[0])
	k, at := kernelLayout{name: name, size: uintptr(size)}, 0
	for _, word := range words[1:] {
		member, bytes, _ := strings.Cut(word, ":")
		n, sizeErr := strconv.Atoi(bytes)
		if err == nil {
			err = sizeErr
		}
		k.members = append(k.members, btf.Member{Name: member, Type: &btf.Int{Size: uint32(n)}, Offset: btf.Bits(at * 8)})
		at += n
	}
	if err != nil || at != size {
		return kernelLayout{}, fmt.Errorf("struct %s: its members have %d bytes of %d: %v", name, at, size, err)
	}
	return k, nil
}
