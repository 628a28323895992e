/* A few threads for work that would hold an event loop for more than about a millisecond: assembling and compressing
 * large answers. A job comes back to the loop that asked through its mailbox.
 * After a while without jobs, free memory goes back to the system. */
#ifndef NOF0_SERVER_OFFLOAD_H
#define NOF0_SERVER_OFFLOAD_H

#include "server/mailbox.h"

struct offload;

/* How many bytes of JSON a loop may assemble, or compress, itself: about a millisecond of one core, or less. */
enum { OFFLOAD_ASSEMBLE_BYTES = 256 * 1024, OFFLOAD_COMPRESS_BYTES = 32 * 1024 };

/* Starts `threads` threads. NULL with *err when the system gives none. */
struct offload *offload_start(unsigned threads, struct err *err);

/* run(arg) happens on one of the threads, then done(arg) on the mailbox's loop. Jobs begin in the order in which they
 * come. What `arg` points to belongs to the job until done. */
void offload_submit(struct offload *offload, struct mailbox *mailbox, void (*run)(void *arg), mailbox_fn *done,
                    void *arg);

/* Finishes every job that was submitted (each done is posted), then stops. */
void offload_stop(struct offload *offload);

#endif
