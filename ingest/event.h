/* Events in: JSON items of one kind, read, checked and stored. An item is stored once however often it comes, and the
 * stored state does not depend on the order in which items come (docs/ingest.md says what tells items apart and which
 * one wins). Items are judged one by one; a bad one never keeps others from being stored, unless the batch is atomic.
 */
#ifndef NOF0_INGEST_EVENT_H
#define NOF0_INGEST_EVENT_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

struct params;

enum event_kind {
#define EVENT(id, name, noun, doc) EVENT_##id,
#include "ingest/event_kinds.def"
#undef EVENT
    EVENT_KIND_COUNT,
};

/* "trades", ... */
const char *event_kind_name(enum event_kind kind);
/* EVENT_KIND_COUNT when no kind has the name. */
enum event_kind event_kind_find(struct slice name);

enum event_status {
    EVENT_PENDING,   /* good so far, not stored */
    EVENT_ACCEPTED,  /* stored for certain */
    EVENT_DUPLICATE, /* the same content is stored already */
    EVENT_REJECTED,
};

struct event_outcome {
    enum event_status status;
    bool superseded;   /* accepted, but something newer is known already, so that nothing shows it */
    struct slice id;   /* what tells the item apart, where it could be read; else p == NULL */
    const char *code;  /* rejected: "invalid", "conflict" or "atomic" (a good item of an atomic batch with a bad one) */
    struct slice path; /* rejected: where in the item, "$.entry_price" */
    struct slice reason; /* rejected: "must be a number, is a text" */
};

struct event_batch;

/* An empty batch. prices_provider (copied): whose prices ticks are that name no provider. */
struct event_batch *event_batch_new(enum event_kind kind, const char *prices_provider);
void event_batch_free(struct event_batch *batch);

/* From now on nothing of the batch is stored when any item is bad. */
void event_batch_set_atomic(struct event_batch *batch);

/* Reads one item: a JSON text with one object. Everything that is kept is copied. A bad item is a rejected one. */
void event_batch_add(struct event_batch *batch, struct slice json);

enum event_kind event_batch_kind(const struct event_batch *batch);
size_t event_batch_count(const struct event_batch *batch);
/* About how much memory the batch takes. */
size_t event_batch_bytes(const struct event_batch *batch);
/* Of the i-th item added; lives as long as the batch. */
const struct event_outcome *event_batch_outcome(const struct event_batch *batch, size_t i);

struct event_counts {
    size_t accepted;
    size_t duplicate;
    size_t rejected;
};
struct event_counts event_batch_counts(const struct event_batch *batch);

/* A connection of its own that stores batches. One thread at a time; never on an event loop. */
struct event_writer;

struct event_writer_options {
    const char *dsn;
    int64_t patience_ms; /* the longest wait for a connection and for an answer of Postgres; 0: without end */
};

/* NULL with *err when there is no connection. */
struct event_writer *event_writer_open(const struct event_writer_options *options, struct err *err);
void event_writer_close(struct event_writer *writer);
/* From now on so long, as in the options. */
void event_writer_set_patience(struct event_writer *writer, int64_t patience_ms);

/* Stores the batches (each at most once in its life) in one transaction, an atomic one in a transaction of its own.
 * True: no outcome is pending any more. False with *err: Postgres failed, and the outcomes of batches that were not
 * stored are still pending; whether they were stored is unknown when the connection was lost during the commit, and
 * storing the same items again is harmless. After ERR_UNAVAILABLE or ERR_TIMEOUT close the writer.
 *
 * *version (may be NULL) receives a version of the data that has everything that was stored (repo/version.h); 0 when
 * nothing was. */
bool event_writer_store(struct event_writer *writer, struct event_batch *const *batches, size_t count, int64_t *version,
                        struct err *err) MUST_CHECK;

/* A statement that belongs to what is stored: it runs in the transaction that ends it (in one of its own, after the
 * last, where Postgres made several necessary), and not at all when an atomic batch was refused. */
struct event_note {
    const char *name; /* as in repo/pipeline.h */
    const char *sql;
    const struct params *params;
};

/* As event_writer_store for one batch, with a note. */
bool event_writer_store_noted(struct event_writer *writer, struct event_batch *batch, const struct event_note *note,
                              int64_t *version, struct err *err) MUST_CHECK;

#endif
