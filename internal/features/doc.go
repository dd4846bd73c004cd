// Package features says which kernel brought what, for each architecture: the one place in the code where
// versions stand. It is data for tests, documents and error messages; a program finds out what a kernel can
// do by trying, and asks nothing here. What stands in the table is held against the running kernel by this
// package's tests, on the host and in every kernel of the matrix.
//
// Package featuretest skips tests by it, and fails those that skip what the kernel should have.
package features
