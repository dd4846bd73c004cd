package syscalls

import "golang.org/x/sys/unix"

func archRefusals() (list []refusal) {
	for name, ask := range map[string]func() (uint64, error){
		"FSBase":                  func() (uint64, error) { v, err := FSBase(); return uint64(v), err },
		"GSBase":                  func() (uint64, error) { v, err := GSBase(); return uint64(v), err },
		"XFeaturesSupported":      func() (uint64, error) { v, err := XFeaturesSupported(); return uint64(v), err },
		"XFeaturesPermitted":      func() (uint64, error) { v, err := XFeaturesPermitted(); return uint64(v), err },
		"GuestXFeaturesPermitted": func() (uint64, error) { v, err := GuestXFeaturesPermitted(); return uint64(v), err },
		"ShadowStack":             func() (uint64, error) { v, err := ShadowStack(); return uint64(v), err },
		"CPUIDEnabled": func() (uint64, error) {
			if on, err := CPUIDEnabled(); !on {
				return 0, err
			}
			return 1, nil
		},
	} {
		list = append(list, refusal{name, unix.SYS_ARCH_PRCTL, nil, func() (bool, error) { v, err := ask(); return v == 0, err }})
	}
	return list
}
