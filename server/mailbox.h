/* How one thread asks an event loop of another thread to do something: it posts a function, the loop runs it. */
#ifndef NOF0_SERVER_MAILBOX_H
#define NOF0_SERVER_MAILBOX_H

#include "base/err.h"

#include <event2/event.h>

struct mailbox;
typedef void mailbox_fn(void *arg);

/* A mailbox whose functions run on `base`. NULL with *err when the system has no descriptor left. */
struct mailbox *mailbox_new(struct event_base *base, struct err *err);

/* From any thread: fn(arg) runs on the loop, later, once, in the order of posting. */
void mailbox_post(struct mailbox *mailbox, mailbox_fn *fn, void *arg);

/* On the loop's thread, or when its loop is over: runs what still waits (so that nothing it owns is lost), then frees.
 * Nobody may post any more. */
void mailbox_free(struct mailbox *mailbox);

#endif
