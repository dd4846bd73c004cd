package syscalls

// XFeatures are components of the x86 processor state, by the bits of XCR0 and IA32_XSS (Intel SDM volume 1, 13.1).
type XFeatures uint64

// Components of the x86 processor state. All but XFeatureTileData are there without permission where the processor has them.
const (
	XFeatureX87       XFeatures = 1 << 0  // x87 floating point and MMX
	XFeatureSSE       XFeatures = 1 << 1  // XMM registers and MXCSR
	XFeatureAVX       XFeatures = 1 << 2  // upper halves of the YMM registers
	XFeatureOpmask    XFeatures = 1 << 5  // AVX-512: k0 to k7
	XFeatureZMMHigh   XFeatures = 1 << 6  // AVX-512: upper halves of ZMM0 to ZMM15
	XFeatureZMM16     XFeatures = 1 << 7  // AVX-512: ZMM16 to ZMM31
	XFeaturePKRU      XFeatures = 1 << 9  // protection keys
	XFeatureTileCfg   XFeatures = 1 << 17 // AMX: the shapes of the tiles
	XFeatureTileData  XFeatures = 1 << 18 // AMX: 8 KiB a thread, by permission
	xfeatureTileIndex           = 18
)

// String names the components.
func (x XFeatures) String() string {
	return flagNames(uint64(x), []flagName{
		{1 << 0, "x87"}, {1 << 1, "SSE"}, {1 << 2, "AVX"}, {1 << 5, "opmask"}, {1 << 6, "ZMM_Hi256"}, {1 << 7, "Hi16_ZMM"},
		{1 << 9, "PKRU"}, {1 << 17, "TILECFG"}, {1 << 18, "TILEDATA"},
	})
}

// ShadowStackFeatures are parts of the user shadow stack of x86.
type ShadowStackFeatures uint64

// Parts of the user shadow stack, from <asm/prctl.h>.
const (
	ARCH_SHSTK_SHSTK ShadowStackFeatures = 1 // returns are checked
	ARCH_SHSTK_WRSS  ShadowStackFeatures = 2 // WRSS is allowed
)

// String names the parts as <asm/prctl.h> does.
func (f ShadowStackFeatures) String() string {
	return flagNames(uint64(f), []flagName{
		{uint64(ARCH_SHSTK_SHSTK), "ARCH_SHSTK_SHSTK"},
		{uint64(ARCH_SHSTK_WRSS), "ARCH_SHSTK_WRSS"},
	})
}
