// Package sample is a lesson that no learner sees: functions with what is hard to step, for the tests of
// package step.
package sample
