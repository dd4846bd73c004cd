package syscalls

import (
	"errors"
	"testing"
)

func TestWhatOnlyAMD64HasIsUnsupported(t *testing.T) {
	errs := map[string]error{"SetCPUID": SetCPUID(true), "RequestTileData": RequestTileData(),
		"RequestGuestTileData": RequestGuestTileData(), "LockShadowStack": LockShadowStack(0),
		"SetLDTEntry": SetLDTEntry(UserDesc{}), "ClearLDTEntry": ClearLDTEntry(0)}
	_, errs["FSBase"] = FSBase()
	_, errs["GSBase"] = GSBase()
	_, errs["CPUIDEnabled"] = CPUIDEnabled()
	_, errs["XFeaturesSupported"] = XFeaturesSupported()
	_, errs["XFeaturesPermitted"] = XFeaturesPermitted()
	_, errs["GuestXFeaturesPermitted"] = GuestXFeaturesPermitted()
	_, errs["ShadowStack"] = ShadowStack()
	_, errs["LDT"] = LDT()
	if _, ok := SegmentLimit(7); ok {
		t.Error("there is a segment")
	}
	for name, err := range errs {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
