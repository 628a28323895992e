/* The thread that hears which data changed: one for the process, with a loop of its own, so that no worker's load
 * delays what concerns all of them. It raises the floors in what the workers share. */
#ifndef NOF0_SERVER_SUBSCRIBER_H
#define NOF0_SERVER_SUBSCRIBER_H

#include "server/answer_cache.h"
#include "server/settings.h"

struct subscriber;

/* Starts to listen at redis.url. on_lost(arg) is called on the subscriber's thread when announcements are lost: what
 * was answered before must not be answered again unseen. NULL with *err when the system gives no thread. */
struct subscriber *subscriber_start(const struct settings *settings, const struct cache_space *space,
                                    struct answer_shared *shared, void (*on_lost)(void *arg), void *arg,
                                    struct err *err);
/* Ends the thread; the floors are then as after a loss. NULL is fine. */
void subscriber_stop(struct subscriber *subscriber);

#endif
