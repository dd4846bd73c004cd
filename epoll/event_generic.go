//go:build !amd64

package epoll

// eventPadding brings epoll_data to a multiple of its size, as struct epoll_event has it.
const eventPadding = 4
