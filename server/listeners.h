/* The listening sockets: one a worker, all at one address. */
#ifndef NOF0_SERVER_LISTENERS_H
#define NOF0_SERVER_LISTENERS_H

#include "base/err.h"

/* Opens `count` sockets at the address; port 0 takes a free one. *actual_port receives the port. SO_REUSEPORT would let
 * a second server of the same user share the port in silence, so an address where somebody listens already is refused:
 * ERR_CONFLICT. On failure none stays open. */
bool listeners_open(const char *host, unsigned port, unsigned count, int fds[], unsigned *actual_port, struct err *err);

/* Closes those that are not -1. */
void listeners_close(const int fds[], unsigned count);

#endif
