package asm_test

import (
	"bytes"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/ring3-go/ring3/asm"
)

func TestCodeIsNilWhereNoFunctionBegins(t *testing.T) {
	entry := reflect.ValueOf(strings.Repeat).Pointer()
	for _, at := range []uintptr{0, 8, ^uintptr(0), entry + 1} {
		if code := (asm.Function{Entry: at}).Code(); code != nil {
			t.Errorf("%d bytes of code at %#x", len(code), at)
		}
	}
}

// The test cannot know how the compiler translates a function, but on both processors it ends with a return
// or a jump, and never with filling.
func TestCodeEndsBeforeTheNextFunction(t *testing.T) {
	entry := reflect.ValueOf(strings.Repeat).Pointer()
	code := asm.Function{Entry: entry}.Code()
	if len(code) == 0 {
		t.Fatal("no code")
	}
	if last := runtime.FuncForPC(entry + uintptr(len(code)) - 1); last.Entry() != entry {
		t.Errorf("the last byte belongs to %s", last.Name())
	}
	filling := []byte{0xcc}
	if runtime.GOARCH == "arm64" {
		filling = make([]byte, 4)
	}
	if bytes.HasSuffix(code, filling) {
		t.Errorf("filling at the end of % x", code)
	}
	if next := runtime.FuncForPC(entry + uintptr(len(code)) + 64); next != nil && next.Entry() == entry {
		t.Errorf("code goes on after %d bytes", len(code))
	}
}
