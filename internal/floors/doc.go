// Package floors keeps the house in order: its tests check that a package of this module imports only
// from the floors below it, and third-party modules only where the table allows (table_test.go,
// docs/ARCHITECTURE.md), and that packages neither log, nor exit, nor run code before main.
//
// There is nothing to import here. The tests need the go command and no network, and work on any system.
package floors
