package vdso

import "fmt"

// lookup finds a function by name and version; an empty version stands for the default one. Of the two hash
// tables it takes the one that dynamic linkers take, GNU's, where there is one.
func (im *image) lookup(name, version string) (function, error) {
	var f function
	var ok bool
	if im.gnuHash != nil {
		f, ok = im.lookupGNU(name, version)
	} else {
		f, ok = im.lookupSysV(name, version)
	}
	switch {
	case ok:
		return f, nil
	case version == "":
		return function{}, fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	return function{}, fmt.Errorf("%w: %s@%s", ErrNotFound, name, version)
}

// lookupSysV goes by DT_HASH: the numbers of buckets and of symbols, a symbol for each bucket, and for each
// symbol the next one of its bucket. Symbol 0 ends a chain.
func (im *image) lookupSysV(name, version string) (function, bool) {
	header, ok := slice(im.hash, 0, 8)
	if !ok {
		return function{}, false
	}
	buckets, symbols := uint64(le.Uint32(header)), uint64(le.Uint32(header[4:]))
	words := im.hash[8:]
	if buckets == 0 || (buckets+symbols)*4 > uint64(len(words)) {
		return function{}, false
	}
	word := func(i uint64) uint64 { return uint64(le.Uint32(words[4*i:])) }
	// A chain has each symbol once at most; one that has more goes round in circles.
	i := word(uint64(hashSysV(name)) % buckets)
	for range symbols {
		if i == 0 || i >= symbols {
			break
		}
		if f, ok := im.match(i, name, version); ok {
			return f, true
		}
		i = word(buckets + i)
	}
	return function{}, false
}

// lookupGNU goes by DT_GNU_HASH: a Bloom filter, which knows most names that are not there; the first symbol of
// each bucket; and the hashes of all symbols, in the order of the symbol table, in which those of a bucket
// follow one another. The lowest bit of a hash is not the hash's: it is set for the last of a bucket.
func (im *image) lookupGNU(name, version string) (function, bool) {
	header, ok := slice(im.gnuHash, 0, 16)
	if !ok {
		return function{}, false
	}
	buckets, first := uint64(le.Uint32(header)), uint64(le.Uint32(header[4:]))
	filter, shift := uint64(le.Uint32(header[8:])), le.Uint32(header[12:])
	words := im.gnuHash[16:]
	if buckets == 0 || filter == 0 || filter*8+buckets*4 > uint64(len(words)) {
		return function{}, false
	}
	hash := hashGNU(name)
	const bits = 64 // of a word of the filter
	bloom := le.Uint64(words[uint64(hash)/bits%filter*8:])
	if bloom>>(hash%bits)&1 == 0 || bloom>>(hash>>(shift%32)%bits)&1 == 0 {
		return function{}, false
	}
	words = words[filter*8:]
	i := uint64(le.Uint32(words[uint64(hash)%buckets*4:]))
	hashes := words[buckets*4:]
	if i < first {
		return function{}, false // an empty bucket has 0
	}
	for ; ; i++ {
		b, ok := slice(hashes, (i-first)*4, 4)
		if !ok {
			return function{}, false
		}
		found := le.Uint32(b)
		if found|1 == hash|1 {
			if f, ok := im.match(i, name, version); ok {
				return f, true
			}
		}
		if found&1 != 0 {
			return function{}, false
		}
	}
}

// hashSysV is the hash of DT_HASH.
func hashSysV(name string) uint32 {
	var h uint32
	for i := range len(name) {
		h = h<<4 + uint32(name[i])
		high := h & 0xf0000000
		h ^= high >> 24
		h &^= high
	}
	return h
}

// hashGNU is the hash of DT_GNU_HASH.
func hashGNU(name string) uint32 {
	h := uint32(5381)
	for i := range len(name) {
		h = h*33 + uint32(name[i])
	}
	return h
}
