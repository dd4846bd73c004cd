// Package featuretest skips tests of what a kernel has not, and fails them where it should have it.
package featuretest
