// Package docs keeps the words about this module true: its tests check that links between documents lead
// somewhere, that the commands in them can be given as they stand, and that no file speaks of the machine
// it was written on.
//
// There is nothing to import here. Commands are checked where there is a go command; nothing needs the
// network.
package docs
