package epoll

// eventPadding is 0 because struct epoll_event is packed on x86-64, as it is on 32-bit x86
// (include/uapi/linux/eventpoll.h, EPOLL_PACKED).
const eventPadding = 0
