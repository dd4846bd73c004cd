package features

import "errors"

// Only amd64 has these calls.
func tryModifyLDT() error         { return errors.ErrUnsupported }
func tryShadowStackStatus() error { return errors.ErrUnsupported }
