package syscalls

import "structs"

// IoUringQueryHdr is struct io_uring_query_hdr: one question of IORING_REGISTER_QUERY. Since 6.18.
type IoUringQueryHdr struct {
	_         structs.HostLayout
	NextEntry uint64         // address of the next question, 0 after the last
	QueryData uint64         // address of what the answer goes to
	QueryOp   IoUringQueryOp // the question
	Size      uint32         // bytes there; out: bytes of the answer
	Result    int32          // out: 0, or an error number, negated
	Reserved  [3]uint32      // zero
}

// An IoUringQueryOp is what an [IoUringQueryHdr] asks for.
type IoUringQueryOp uint32

const (
	IO_URING_QUERY_OPCODES IoUringQueryOp = 0 // an [IoUringQueryOpcode]. Since 6.18
	IO_URING_QUERY_ZCRX    IoUringQueryOp = 1 // an [IoUringQueryZcrx]. Since 6.19
	IO_URING_QUERY_SCQ     IoUringQueryOp = 2 // an [IoUringQuerySCQ]. Since 6.19
)

var ioUringQueryOpNames = []string{
	IO_URING_QUERY_OPCODES: "IO_URING_QUERY_OPCODES",
	IO_URING_QUERY_ZCRX:    "IO_URING_QUERY_ZCRX",
	IO_URING_QUERY_SCQ:     "IO_URING_QUERY_SCQ",
}

// String returns the name that linux/io_uring.h gives the value, or the number where it has none.
func (v IoUringQueryOp) String() string { return valueName(int64(v), ioUringQueryOpNames) }

// IoUringQueryOpcode is struct io_uring_query_opcode: all that the kernel has. Since 6.18.
type IoUringQueryOpcode struct {
	_           structs.HostLayout
	RequestOps  uint32 // number of [IoUringOp]
	RegisterOps uint32 // number of [IoUringRegisterOp]
	Features    uint64 // all [IoUringFeatures]
	SetupFlags  uint64 // all [IoUringSetupFlags]
	EnterFlags  uint64 // all [IoUringEnterFlags]
	SQEFlags    uint64 // all [IoUringSQEFlags]
	QueryOps    uint32 // number of [IoUringQueryOp]. Since 6.19, before it zero
	Pad         uint32 // zero
}

// IoUringQueryZcrx is struct io_uring_query_zcrx: what there is for receiving without a copy. Since 6.19.
type IoUringQueryZcrx struct {
	_             structs.HostLayout
	RegisterFlags uint64 // all [IoUringZcrxFlags]
	AreaFlags     uint64 // all [IoUringZcrxAreaFlags]
	CtrlOps       uint32 // number of [IoUringZcrxCtrlOp]
	Features      uint32 // [IoUringZcrxFeatures]
	RQHdrSize     uint32 // bytes before the refill ring's entries
	RQHdrAlign    uint32 // their alignment, in bytes
	Reserved      uint64 // zero
}

// IoUringQuerySCQ is struct io_uring_query_scq: what the head of the rings takes. Since 6.19.
type IoUringQuerySCQ struct {
	_        structs.HostLayout
	HdrSize  uint64 // bytes before the entries
	HdrAlign uint64 // their alignment, in bytes
}

// IoUringZcrxIfqReg is struct io_uring_zcrx_ifq_reg: a queue of a network card whose packets go straight to
// memory of the program. Since 6.15. Needs CAP_NET_ADMIN, and a card that splits headers from data.
type IoUringZcrxIfqReg struct {
	_         structs.HostLayout
	IfIdx     uint32             // number of the interface
	IfRXQ     uint32             // number of its queue
	RQEntries uint32             // size of the refill ring
	Flags     IoUringZcrxFlags   // of which kind
	AreaPtr   uint64             // address of an [IoUringZcrxAreaReg]
	RegionPtr uint64             // address of an [IoUringRegionDesc] for the refill ring
	Offsets   IoUringZcrxOffsets // out
	ZcrxID    uint32             // out: the FileIndex of RECV_ZC. Since 6.16
	RxBufLen  uint32             // bytes of a page of the card's; 0 leaves it to the kernel. Since 7.0
	Reserved  [3]uint64          // zero
}

// IoUringZcrxOffsets is struct io_uring_zcrx_offsets: where in the region of the refill ring what lies, in
// bytes. Since 6.15.
type IoUringZcrxOffsets struct {
	_         structs.HostLayout
	Head      uint32    // of what the kernel takes next
	Tail      uint32    // of what the program adds next
	RQEs      uint32    // the entries
	Reserved2 uint32    // zero
	Reserved  [2]uint64 // zero
}

// IoUringZcrxAreaReg is struct io_uring_zcrx_area_reg: the memory that packets go to. Since 6.15.
type IoUringZcrxAreaReg struct {
	_           structs.HostLayout
	Addr        uint64               // address; an offset with IORING_ZCRX_AREA_DMABUF
	Len         uint64               // bytes
	RQAreaToken uint64               // out: goes into the Off of every refill entry
	Flags       IoUringZcrxAreaFlags // what memory it is
	DmabufFD    uint32               // with IORING_ZCRX_AREA_DMABUF. Since 6.16
	Reserved    [2]uint64            // zero
}

// IoUringZcrxRQE is struct io_uring_zcrx_rqe: memory that the program gives back. Since 6.15.
type IoUringZcrxRQE struct {
	_   structs.HostLayout
	Off uint64 // in the area, with its token
	Len uint32 // bytes
	Pad uint32 // zero
}

// IoUringZcrxCQE is struct io_uring_zcrx_cqe: the second half of a completion of RECV_ZC. Since 6.15.
type IoUringZcrxCQE struct {
	_   structs.HostLayout
	Off uint64 // of the data, with the area's number from bit IORING_ZCRX_AREA_SHIFT on
	Pad uint64 // zero
}

// The number of the area in an offset.
const (
	IORING_ZCRX_AREA_SHIFT = 48                         // its lowest bit. Since 6.15
	IORING_ZCRX_AREA_MASK  = uint64(0xffff000000000000) // its bits. Since 6.15
)

// IoUringZcrxAreaFlags are those of an [IoUringZcrxAreaReg].
type IoUringZcrxAreaFlags uint32

const (
	IORING_ZCRX_AREA_DMABUF IoUringZcrxAreaFlags = 1 << 0 // the memory is a dma-buf. Since 6.16
)

var ioUringZcrxAreaFlagsNames = []flagName{
	{uint64(IORING_ZCRX_AREA_DMABUF), "IORING_ZCRX_AREA_DMABUF"},
}

// String writes the flags by the names that linux/io_uring.h gives them.
func (f IoUringZcrxAreaFlags) String() string { return flagNames(uint64(f), ioUringZcrxAreaFlagsNames) }

// IoUringZcrxFlags are those of an [IoUringZcrxIfqReg].
type IoUringZcrxFlags uint32

const (
	ZCRX_REG_IMPORT IoUringZcrxFlags = 1 << 0 // takes what another ring exported. Since 6.19
	ZCRX_REG_NODEV  IoUringZcrxFlags = 1 << 1 // without a card: everything is copied. Since 7.1
)

var ioUringZcrxFlagsNames = []flagName{
	{uint64(ZCRX_REG_IMPORT), "ZCRX_REG_IMPORT"},
	{uint64(ZCRX_REG_NODEV), "ZCRX_REG_NODEV"},
}

// String writes the flags by the names that linux/io_uring.h gives them.
func (f IoUringZcrxFlags) String() string { return flagNames(uint64(f), ioUringZcrxFlagsNames) }

// IoUringZcrxFeatures are those of an [IoUringQueryZcrx].
type IoUringZcrxFeatures uint32

const (
	ZCRX_FEATURE_RX_PAGE_SIZE IoUringZcrxFeatures = 1 << 0 // RxBufLen. Since 7.0
)

var ioUringZcrxFeaturesNames = []flagName{
	{uint64(ZCRX_FEATURE_RX_PAGE_SIZE), "ZCRX_FEATURE_RX_PAGE_SIZE"},
}

// String writes the flags by the names that linux/io_uring.h gives them.
func (f IoUringZcrxFeatures) String() string { return flagNames(uint64(f), ioUringZcrxFeaturesNames) }

// An IoUringZcrxCtrlOp is what an [IoUringZcrxCtrl] does.
type IoUringZcrxCtrlOp uint32

const (
	ZCRX_CTRL_FLUSH_RQ IoUringZcrxCtrlOp = 0 // the kernel takes what is in the refill ring. Since 6.19
	ZCRX_CTRL_EXPORT   IoUringZcrxCtrlOp = 1 // a descriptor that another ring can import. Since 6.19
)

var ioUringZcrxCtrlOpNames = []string{
	ZCRX_CTRL_FLUSH_RQ: "ZCRX_CTRL_FLUSH_RQ",
	ZCRX_CTRL_EXPORT:   "ZCRX_CTRL_EXPORT",
}

// String returns the name that linux/io_uring.h gives the value, or the number where it has none.
func (v IoUringZcrxCtrlOp) String() string { return valueName(int64(v), ioUringZcrxCtrlOpNames) }

// IoUringZcrxCtrl is struct zcrx_ctrl. Since 6.19.
type IoUringZcrxCtrl struct {
	_        structs.HostLayout
	ZcrxID   uint32            // that of the [IoUringZcrxIfqReg]
	Op       IoUringZcrxCtrlOp // what to do
	Reserved [2]uint64         // zero
	FD       uint32            // out: the descriptor of ZCRX_CTRL_EXPORT
	Data     [11]uint32        // zero
}

// IoUringBPF is struct io_uring_bpf: a classic BPF program that says which entries of one operation may run.
// Since 7.0.
type IoUringBPF struct {
	_        structs.HostLayout
	CmdType  uint16           // IO_URING_BPF_CMD_FILTER
	CmdFlags uint16           // zero
	Reserved uint32           // zero
	Filter   IoUringBPFFilter // the program
}

// IoUringBPFFilter is struct io_uring_bpf_filter. Since 7.0.
type IoUringBPFFilter struct {
	_         structs.HostLayout
	Opcode    uint32                // the [IoUringOp]
	Flags     IoUringBPFFilterFlags // how strict
	FilterLen uint32                // instructions
	PduSize   uint8                 // bytes that the program expects behind the first 16 of an [IoUringBPFContext]
	Reserved  [3]uint8              // zero
	FilterPtr uint64                // address of the instructions, unix.SockFilter
	Reserved2 [5]uint64             // zero
}

// IoUringBPFContext is struct io_uring_bpf_ctx: what such a program reads. Since 7.0.
type IoUringBPFContext struct {
	_        structs.HostLayout
	UserData uint64          // the entry's
	Opcode   IoUringOp       // the entry's
	SQEFlags IoUringSQEFlags // the entry's
	PduSize  uint8           // bytes of Data that the kernel filled in
	Pad      [5]uint8        // zero
	Data     [24]uint8       // SOCKET: family, type and protocol, 4 bytes each; OPENAT2: flags, mode and resolve, 8 bytes each
}

// IO_URING_BPF_CMD_FILTER is the CmdType of an [IoUringBPF]: a filter. Since 7.0.
const IO_URING_BPF_CMD_FILTER = 1

// IoUringBPFFilterFlags are those of an [IoUringBPFFilter].
type IoUringBPFFilterFlags uint32

const (
	IO_URING_BPF_FILTER_DENY_REST IoUringBPFFilterFlags = 1 << 0 // operations without a filter are refused. Since 7.0
	IO_URING_BPF_FILTER_SZ_STRICT IoUringBPFFilterFlags = 1 << 1 // refuse the filter where the kernel has another PduSize. Since 7.0
)

var ioUringBPFFilterFlagsNames = []flagName{
	{uint64(IO_URING_BPF_FILTER_DENY_REST), "IO_URING_BPF_FILTER_DENY_REST"},
	{uint64(IO_URING_BPF_FILTER_SZ_STRICT), "IO_URING_BPF_FILTER_SZ_STRICT"},
}

// String writes the flags by the names that linux/io_uring/bpf_filter.h gives them.
func (f IoUringBPFFilterFlags) String() string {
	return flagNames(uint64(f), ioUringBPFFilterFlagsNames)
}
