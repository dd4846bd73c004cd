//go:build !linux

package main

func testCommand([]string) int { return 1 }
