//go:build linux

package cpuid

import "fmt"

// Registers of an answer.
const (
	inEAX = iota
	inEBX
	inECX
	inEDX
)

// A bit is where one feature stands.
type bit struct {
	leaf, subleaf uint32
	register      int
	bit           int
	name          string
}

// bits has the features under the names of /proc/cpuinfo (arch/x86/include/asm/cpufeatures.h).
var bits = []bit{
	{0x1, 0, inEDX, 0, "fpu"},
	{0x1, 0, inEDX, 1, "vme"},
	{0x1, 0, inEDX, 2, "de"},
	{0x1, 0, inEDX, 3, "pse"},
	{0x1, 0, inEDX, 4, "tsc"},
	{0x1, 0, inEDX, 5, "msr"},
	{0x1, 0, inEDX, 6, "pae"},
	{0x1, 0, inEDX, 7, "mce"},
	{0x1, 0, inEDX, 8, "cx8"},
	{0x1, 0, inEDX, 9, "apic"},
	{0x1, 0, inEDX, 11, "sep"},
	{0x1, 0, inEDX, 12, "mtrr"},
	{0x1, 0, inEDX, 13, "pge"},
	{0x1, 0, inEDX, 14, "mca"},
	{0x1, 0, inEDX, 15, "cmov"},
	{0x1, 0, inEDX, 16, "pat"},
	{0x1, 0, inEDX, 17, "pse36"},
	{0x1, 0, inEDX, 19, "clflush"},
	{0x1, 0, inEDX, 23, "mmx"},
	{0x1, 0, inEDX, 24, "fxsr"},
	{0x1, 0, inEDX, 25, "sse"},
	{0x1, 0, inEDX, 26, "sse2"},
	{0x1, 0, inEDX, 28, "ht"},
	{0x1, 0, inECX, 0, "pni"},
	{0x1, 0, inECX, 1, "pclmulqdq"},
	{0x1, 0, inECX, 3, "monitor"},
	{0x1, 0, inECX, 5, "vmx"},
	{0x1, 0, inECX, 9, "ssse3"},
	{0x1, 0, inECX, 12, "fma"},
	{0x1, 0, inECX, 13, "cx16"},
	{0x1, 0, inECX, 17, "pcid"},
	{0x1, 0, inECX, 19, "sse4_1"},
	{0x1, 0, inECX, 20, "sse4_2"},
	{0x1, 0, inECX, 21, "x2apic"},
	{0x1, 0, inECX, 22, "movbe"},
	{0x1, 0, inECX, 23, "popcnt"},
	{0x1, 0, inECX, 24, "tsc_deadline_timer"},
	{0x1, 0, inECX, 25, "aes"},
	{0x1, 0, inECX, 26, "xsave"},
	{0x1, 0, inECX, 28, "avx"},
	{0x1, 0, inECX, 29, "f16c"},
	{0x1, 0, inECX, 30, "rdrand"},
	{0x1, 0, inECX, 31, "hypervisor"},
	{0x6, 0, inEAX, 2, "arat"},
	{0x7, 0, inEBX, 0, "fsgsbase"},
	{0x7, 0, inEBX, 1, "tsc_adjust"},
	{0x7, 0, inEBX, 3, "bmi1"},
	{0x7, 0, inEBX, 4, "hle"},
	{0x7, 0, inEBX, 5, "avx2"},
	{0x7, 0, inEBX, 7, "smep"},
	{0x7, 0, inEBX, 8, "bmi2"},
	{0x7, 0, inEBX, 9, "erms"},
	{0x7, 0, inEBX, 10, "invpcid"},
	{0x7, 0, inEBX, 11, "rtm"},
	{0x7, 0, inEBX, 16, "avx512f"},
	{0x7, 0, inEBX, 17, "avx512dq"},
	{0x7, 0, inEBX, 18, "rdseed"},
	{0x7, 0, inEBX, 19, "adx"},
	{0x7, 0, inEBX, 20, "smap"},
	{0x7, 0, inEBX, 21, "avx512ifma"},
	{0x7, 0, inEBX, 23, "clflushopt"},
	{0x7, 0, inEBX, 24, "clwb"},
	{0x7, 0, inEBX, 28, "avx512cd"},
	{0x7, 0, inEBX, 29, "sha_ni"},
	{0x7, 0, inEBX, 30, "avx512bw"},
	{0x7, 0, inEBX, 31, "avx512vl"},
	{0x7, 0, inECX, 1, "avx512vbmi"},
	{0x7, 0, inECX, 2, "umip"},
	{0x7, 0, inECX, 3, "pku"},
	{0x7, 0, inECX, 4, "ospke"},
	{0x7, 0, inECX, 5, "waitpkg"},
	{0x7, 0, inECX, 6, "avx512_vbmi2"},
	{0x7, 0, inECX, 8, "gfni"},
	{0x7, 0, inECX, 9, "vaes"},
	{0x7, 0, inECX, 10, "vpclmulqdq"},
	{0x7, 0, inECX, 11, "avx512_vnni"},
	{0x7, 0, inECX, 12, "avx512_bitalg"},
	{0x7, 0, inECX, 14, "avx512_vpopcntdq"},
	{0x7, 0, inECX, 16, "la57"},
	{0x7, 0, inECX, 22, "rdpid"},
	{0x7, 0, inECX, 27, "movdiri"},
	{0x7, 0, inECX, 28, "movdir64b"},
	{0x7, 0, inEDX, 4, "fsrm"},
	{0x7, 0, inEDX, 14, "serialize"},
	{0x7, 0, inEDX, 22, "amx_bf16"},
	{0x7, 0, inEDX, 24, "amx_tile"},
	{0x7, 0, inEDX, 25, "amx_int8"},
	{0x7, 1, inEAX, 4, "avx_vnni"},
	{0x7, 1, inEAX, 5, "avx512_bf16"},
	{0xd, 1, inEAX, 0, "xsaveopt"},
	{0xd, 1, inEAX, 1, "xsavec"},
	{0xd, 1, inEAX, 2, "xgetbv1"},
	{0xd, 1, inEAX, 3, "xsaves"},
	{0x80000001, 0, inEDX, 11, "syscall"},
	{0x80000001, 0, inEDX, 20, "nx"},
	{0x80000001, 0, inEDX, 22, "mmxext"},
	{0x80000001, 0, inEDX, 25, "fxsr_opt"},
	{0x80000001, 0, inEDX, 26, "pdpe1gb"},
	{0x80000001, 0, inEDX, 27, "rdtscp"},
	{0x80000001, 0, inEDX, 29, "lm"},
	{0x80000001, 0, inECX, 0, "lahf_lm"},
	{0x80000001, 0, inECX, 2, "svm"},
	{0x80000001, 0, inECX, 5, "abm"},
	{0x80000001, 0, inECX, 6, "sse4a"},
	{0x80000001, 0, inECX, 7, "misalignsse"},
	{0x80000001, 0, inECX, 8, "3dnowprefetch"},
	{0x80000001, 0, inECX, 22, "topoext"},
	{0x80000008, 0, inEBX, 0, "clzero"},
	{0x80000008, 0, inEBX, 2, "xsaveerptr"},
}

func features() []Feature {
	list := make([]Feature, len(bits))
	var answer [4]uint32
	for i, b := range bits {
		// One question for all bits of an answer: under a hypervisor each is dear.
		if i == 0 || b.leaf != bits[i-1].leaf || b.subleaf != bits[i-1].subleaf {
			answer = b.ask()
		}
		list[i] = Feature{
			Name:  b.name,
			Where: fmt.Sprintf("%X.%d E%cX %d", b.leaf, b.subleaf, 'A'+rune(b.register), b.bit),
			Has:   b.in(answer),
		}
	}
	return list
}

// ask has the processor give the answer that the bit is in.
func (b bit) ask() (answer [4]uint32) {
	answer[inEAX], answer[inEBX], answer[inECX], answer[inEDX] = ask(b.leaf, b.subleaf)
	return answer
}

func (b bit) in(answer [4]uint32) bool { return answer[b.register]>>b.bit&1 == 1 }

// has reports whether the processor has the feature of that name.
func has(name string) bool {
	for _, b := range bits {
		if b.name == name {
			return b.in(b.ask())
		}
	}
	return false
}
