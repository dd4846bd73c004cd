// Package mmu is about address spaces: fault-safe access to any address ([Guarded]).
package mmu
