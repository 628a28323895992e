/* The shortest way of a read: a worker's table of request targets, byte for byte as clients send them, that were
 * answered lately and may be answered the same way again. An entry holds the document and the heads of its replies, so
 * that a hit costs neither routing nor reading of parameters nor allocation nor a lock. A target has an entry for each
 * of the two sides that can answer it; which one is for a client is decided by the flags at each hit. It belongs to one
 * loop. */
#ifndef NOF0_SERVER_HOT_H
#define NOF0_SERVER_HOT_H

#include "server/document.h"
#include "server/endpoints.h"
#include "server/http.h"
#include "server/reply.h"

#include <stdatomic.h>

/* At most HOT_SLOTS targets of at most HOT_TARGET_MAX bytes are kept, one of those that fall into the same slot. */
enum { HOT_SLOTS = 256, HOT_TARGET_MAX = 256 };

/* For how long an entry may be served. */
struct hot_term {
    int64_t until_ms;                  /* clock_mono_ms; INT64_MAX: until the table is cleared */
    const atomic_int_least64_t *floor; /* NULL: none. Else only while *floor <= version */
    int64_t version;
};

struct hot;
struct hot *hot_new(void);
/* Replies under way keep what they need. NULL is fine. */
void hot_free(struct hot *hot);
/* To be called when the documents behind the entries change. */
void hot_clear(struct hot *hot);

/* From now on it goes by these settings and flags, which must stay until the next call. Other settings empty the table;
 * other flags let go of the entries of endpoints that read in another way now. Before it is used. */
void hot_go_by(struct hot *hot, const struct settings *settings, const struct flag_set *flags);

/* What it answers is noted there too (NULL: nowhere). The tap must outlive the table. */
struct shadow_tap;
void hot_set_tap(struct hot *hot, struct shadow_tap *tap);

/* Large documents that it answers with get a file there (document_make_file). Both must be there as long as it answers;
 * without them (NULL) none is made. */
struct offload;
struct mailbox;
void hot_set_offload(struct hot *hot, struct offload *offload, struct mailbox *mailbox);

/* Remembers that the answer is for the request's target, in place of what its slot held. Holds a reference of its own
 * to the document. Does nothing when the endpoint reads in another way by now than the answer's. */
void hot_keep(struct hot *hot, const struct http_request *request, const struct reply_answer *answer,
              const struct hot_term *term);

/* Answers a GET or HEAD whose target is in the table. False, and nothing is done, when it is not, when its term is
 * over, or when the client wants a compressed form that the document does not have yet. */
bool hot_answer(struct hot *hot, struct http_request *request);

/* How many requests it answered. */
uint64_t hot_hits(const struct hot *hot);
/* Of these, from rows, by the flag of their endpoint. */
uint64_t hot_hits_of_rows(const struct hot *hot, enum flag flag);

#endif
