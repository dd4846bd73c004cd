package syscalls

import (
	"strings"
	"testing"
	"unsafe"
)

// checkLayoutSince checks a mirror against the kernel's BTF where its type has the member that came last, and
// otherwise against the offsets that linux/io_uring.h gives since then: members that took the place of reserved
// ones.
func checkLayoutSince(t *testing.T, goType any, kernelType, member string, fields map[string]string, size uintptr, offsets map[string]uintptr) {
	t.Helper()
	checkOffsets(t, goType, size, offsets)
	if spec, err := kernelTypes(); err == nil {
		k, err := kernelStruct(spec, kernelType)
		if _, _, has := k.find(member); err != nil || !has {
			return // older than the mirror: the header's offsets must do
		}
	}
	checkLayout(t, goType, kernelType, fields)
}

func TestIoUringLayouts(t *testing.T) {
	type names = map[string]string
	for kernelType, tt := range map[string]struct {
		mirror any
		fields names
	}{
		"io_uring_sqe": {IoUringSQE{}, names{
			"IoPrio": "ioprio", "FD": "fd", "OpFlags": "rw_flags", "Pad2": "__pad2?",
		}},
		"io_uring_cqe": {IoUringCQE{}, nil},
		"io_uring_params": {IoUringParams{}, names{
			"SQEntries": "sq_entries", "CQEntries": "cq_entries", "SQThreadCPU": "sq_thread_cpu", "SQThreadIdle": "sq_thread_idle",
			"WQFD": "wq_fd", "Reserved": "resv", "SQOff": "sq_off", "CQOff": "cq_off",
		}},
		"io_uring_reg_wait?":         {IoUringRegWait{}, names{"Timeout": "ts", "SigmaskSize": "sigmask_sz"}},
		"io_uring_attr_pi?":          {IoUringAttrPI{}, names{"Reserved": "rsvd"}},
		"io_timespec?":               {IoUringTimespec{}, names{"Sec": "tv_sec", "Nsec": "tv_nsec"}},
		"io_uring_recvmsg_out":       {IoUringRecvmsgOut{}, names{"NameLen": "namelen", "ControlLen": "controllen", "PayloadLen": "payloadlen"}},
		"io_uring_rsrc_register":     {IoUringRsrcRegister{}, names{"Reserved": "resv2"}},
		"io_uring_rsrc_update":       {IoUringRsrcUpdate{}, names{"Reserved": "resv"}},
		"io_uring_rsrc_update2":      {IoUringRsrcUpdate2{}, names{"Reserved": "resv", "Reserved2": "resv2"}},
		"io_uring_probe_op":          {IoUringProbeOp{}, names{"Reserved": "resv", "Reserved2": "resv2"}},
		"io_uring_restriction":       {IoUringRestriction{}, names{"Value": "sqe_op", "Reserved": "resv", "Reserved2": "resv2"}},
		"io_uring_task_restriction?": {IoUringTaskRestriction{}, names{"Count": "nr_res", "Reserved": "resv"}},
		"io_uring_buf":               {IoUringBuf{}, names{"ID": "bid", "Reserved": "resv"}},
		"io_uring_buf_status?":       {IoUringBufStatus{}, names{"Reserved": "resv"}},
		"io_uring_file_index_range":  {IoUringFileIndexRange{}, names{"Reserved": "resv"}},
		"io_uring_clock_register?":   {IoUringClockRegister{}, names{"ClockID": "clockid", "Reserved": "__resv"}},
		"io_uring_region_desc?":      {IoUringRegionDesc{}, names{"Reserved": "__resv"}},
		"io_uring_mem_region_reg?":   {IoUringMemRegionReg{}, names{"Region": "region_uptr", "Reserved": "__resv"}},
		"io_uring_query_hdr?":        {IoUringQueryHdr{}, names{"Reserved": "__resv"}},
		"io_uring_zcrx_offsets?":     {IoUringZcrxOffsets{}, names{"RQEs": "rqes", "Reserved2": "__resv2", "Reserved": "__resv"}},
		"io_uring_zcrx_rqe?":         {IoUringZcrxRQE{}, names{"Pad": "__pad"}},
		"io_uring_zcrx_cqe?":         {IoUringZcrxCQE{}, names{"Pad": "__pad"}},
		"io_uring_query_zcrx?": {IoUringQueryZcrx{}, names{
			"CtrlOps": "nr_ctrl_opcodes", "RQHdrSize": "rq_hdr_size", "RQHdrAlign": "rq_hdr_alignment", "Reserved": "__resv2",
		}},
		"io_uring_query_scq?":  {IoUringQuerySCQ{}, names{"HdrAlign": "hdr_alignment"}},
		"zcrx_ctrl?":           {IoUringZcrxCtrl{}, names{"ZcrxID": "zcrx_id", "Reserved": "__resv", "FD": "zc_export.zcrx_fd", "Data": "zc_export.__resv1"}},
		"io_uring_bpf?":        {IoUringBPF{}, names{"Reserved": "resv"}},
		"io_uring_bpf_filter?": {IoUringBPFFilter{}, names{"Reserved": "resv", "Reserved2": "resv2"}},
	} {
		t.Run(strings.TrimSuffix(kernelType, "?"), func(t *testing.T) { checkLayout(t, tt.mirror, kernelType, tt.fields) })
	}
}

// TestIoUringLayoutsThatGrewInPlace has the structures whose reserved members became others.
func TestIoUringLayoutsThatGrewInPlace(t *testing.T) {
	type names = map[string]string
	type offsets = map[string]uintptr
	for kernelType, tt := range map[string]struct {
		mirror  any
		member  string // the last that took a reserved one's place
		fields  names
		size    uintptr
		offsets offsets
	}{
		"io_sqring_offsets": {IoUringSQOffsets{}, "user_addr", names{"Reserved": "resv1"}, 40, offsets{
			"Head": 0, "Tail": 4, "RingMask": 8, "RingEntries": 12, "Flags": 16, "Dropped": 20, "Array": 24, "Reserved": 28, "UserAddr": 32,
		}},
		"io_cqring_offsets": {IoUringCQOffsets{}, "user_addr", names{"Reserved": "resv1", "CQEs": "cqes"}, 40, offsets{
			"Head": 0, "Tail": 4, "RingMask": 8, "RingEntries": 12, "Overflow": 16, "CQEs": 20, "Flags": 24, "Reserved": 28, "UserAddr": 32,
		}},
		"io_uring_getevents_arg": {IoUringGeteventsArg{}, "min_wait_usec", names{"SigmaskSize": "sigmask_sz", "Timeout": "ts"}, 24, offsets{
			"Sigmask": 0, "SigmaskSize": 8, "MinWaitUsec": 12, "Timeout": 16,
		}},
		"io_uring_buf_reg": {IoUringBufReg{}, "min_left", names{"Entries": "ring_entries", "BufGroup": "bgid", "Reserved": "resv"}, 40, offsets{
			"RingAddr": 0, "Entries": 8, "BufGroup": 12, "Flags": 14, "MinLeft": 16, "Reserved": 20,
		}},
		"io_uring_sync_cancel_reg": {IoUringSyncCancelReg{}, "opcode", names{"FD": "fd", "Reserved": "pad2"}, 64, offsets{
			"Addr": 0, "FD": 8, "Flags": 12, "Timeout": 16, "Opcode": 32, "Pad": 33, "Reserved": 40,
		}},
		"io_uring_napi": {IoUringNAPI{}, "op_param", names{"Reserved": "resv"}, 16, offsets{
			"BusyPollTo": 0, "PreferBusyPoll": 4, "Opcode": 5, "Pad": 6, "OpParam": 8, "Reserved": 12,
		}},
		"io_uring_clone_buffers": {IoUringCloneBuffers{}, "nr", names{"SrcFD": "src_fd", "Reserved": "pad"}, 32, offsets{
			"SrcFD": 0, "Flags": 4, "SrcOff": 8, "DstOff": 12, "Nr": 16, "Reserved": 20,
		}},
		"io_uring_query_opcode": {IoUringQueryOpcode{}, "nr_query_opcodes", names{
			"RequestOps": "nr_request_opcodes", "RegisterOps": "nr_register_opcodes", "Features": "feature_flags", "SetupFlags": "ring_setup_flags",
			"SQEFlags": "sqe_flags", "QueryOps": "nr_query_opcodes", "Pad": "__pad",
		}, 48, offsets{
			"RequestOps": 0, "RegisterOps": 4, "Features": 8, "SetupFlags": 16, "EnterFlags": 24, "SQEFlags": 32, "QueryOps": 40, "Pad": 44,
		}},
		"io_uring_zcrx_area_reg": {IoUringZcrxAreaReg{}, "dmabuf_fd", names{"RQAreaToken": "rq_area_token", "DmabufFD": "dmabuf_fd", "Reserved": "__resv2"}, 48, offsets{
			"Addr": 0, "Len": 8, "RQAreaToken": 16, "Flags": 24, "DmabufFD": 28, "Reserved": 32,
		}},
		"io_uring_zcrx_ifq_reg": {IoUringZcrxIfqReg{}, "rx_buf_len", names{"IfRXQ": "if_rxq", "RQEntries": "rq_entries", "ZcrxID": "zcrx_id", "Reserved": "__resv"}, 96, offsets{
			"IfIdx": 0, "IfRXQ": 4, "RQEntries": 8, "Flags": 12, "AreaPtr": 16, "RegionPtr": 24, "Offsets": 32, "ZcrxID": 64, "RxBufLen": 68, "Reserved": 72,
		}},
	} {
		t.Run(kernelType, func(t *testing.T) {
			checkLayoutSince(t, tt.mirror, kernelType, tt.member, tt.fields, tt.size, tt.offsets)
		})
	}
}

// TestIoUringLayoutsOfTheHeader has what no kernel's BTF shows in this form, and what is newer than every
// kernel of the matrix: linux/io_uring.h of 7.1, linux/io_uring/query.h and linux/io_uring/bpf_filter.h.
func TestIoUringLayoutsOfTheHeader(t *testing.T) {
	type offsets = map[string]uintptr
	checkOffsets(t, IoUringTaskRestriction{}, 16, offsets{"Flags": 0, "Count": 2, "Reserved": 4})
	checkOffsets(t, IoUringZcrxCtrl{}, 72, offsets{"ZcrxID": 0, "Op": 4, "Reserved": 8, "FD": 24, "Data": 28})
	checkOffsets(t, IoUringBPF{}, 72, offsets{"CmdType": 0, "CmdFlags": 2, "Reserved": 4, "Filter": 8})
	checkOffsets(t, IoUringBPFFilter{}, 64, offsets{
		"Opcode": 0, "Flags": 4, "FilterLen": 8, "PduSize": 12, "Reserved": 13, "FilterPtr": 16, "Reserved2": 24,
	})
	checkOffsets(t, IoUringQueryZcrx{}, 40, offsets{
		"RegisterFlags": 0, "AreaFlags": 8, "CtrlOps": 16, "Features": 20, "RQHdrSize": 24, "RQHdrAlign": 28, "Reserved": 32,
	})
	checkOffsets(t, IoUringQuerySCQ{}, 16, offsets{"HdrSize": 0, "HdrAlign": 8})
	checkOffsets(t, IoUringProbe{}, 16+256*unsafe.Sizeof(IoUringProbeOp{}), offsets{
		"LastOp": 0, "OpsLen": 1, "Reserved": 2, "Reserved2": 4, "Ops": 16,
	})
	checkOffsets(t, IoUringBPFContext{}, 40, offsets{
		"UserData": 0, "Opcode": 8, "SQEFlags": 9, "PduSize": 10, "Pad": 11, "Data": 16,
	})
}
