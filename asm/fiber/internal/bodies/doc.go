// Package bodies has the bodies that the tests of package fiber need, among them some that are none. It shows
// how a package brings its own.
package bodies
