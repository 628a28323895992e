/* For tests of events: a database of one's own, a writer, and ways to put items in. */
#ifndef NOF0_INGEST_EVENT_TESTING_H
#define NOF0_INGEST_EVENT_TESTING_H

#include "ingest/event.h"
#include "ingest/testing_folder.h"

struct event_bench {
    struct bench bench;
    struct event_writer *writer;
};

static inline bool event_bench_start(struct event_bench *bench, const char *purpose)
{
    struct err err = ERR_INIT;
    if (!bench_start(&bench->bench, purpose))
        return false;
    const struct event_writer_options options = {.dsn = bench->bench.testing.dsn};
    bench->writer = event_writer_open(&options, &err);
    if (!bench->writer)
        fail_msg("%s", err.text);
    return true;
}

static inline void event_bench_stop(struct event_bench *bench)
{
    event_writer_close(bench->writer);
    bench_stop(&bench->bench);
}

static inline void event_bench_store(struct event_bench *bench, struct event_batch *batch)
{
    struct err err = ERR_INIT;
    if (!event_writer_store(bench->writer, &batch, 1, NULL, &err))
        fail_msg("%s", err.text);
}

static inline struct event_batch *event_batch_of(enum event_kind kind, const char *const *items, size_t count)
{
    struct event_batch *batch = event_batch_new(kind, "arena");
    for (size_t i = 0; i < count; i++)
        event_batch_add(batch, slice_of(items[i]));
    return batch;
}

/* "accepted", "accepted superseded", "duplicate", "invalid $.price: must be ...", "conflict $: ..." */
static inline void event_put_outcome(struct buf *out, const struct event_outcome *outcome)
{
    switch (outcome->status) {
    case EVENT_PENDING:
        buf_append_str(out, "pending");
        break;
    case EVENT_ACCEPTED:
        buf_append_str(out, outcome->superseded ? "accepted superseded" : "accepted");
        break;
    case EVENT_DUPLICATE:
        buf_append_str(out, "duplicate");
        break;
    case EVENT_REJECTED:
        buf_printf(out, "%s %.*s: %.*s", outcome->code, SLICE_ARG(outcome->path), SLICE_ARG(outcome->reason));
    }
}

/* Stores one item and compares what came of it. */
static inline void event_expect(struct event_bench *bench, enum event_kind kind, const char *item, const char *expected)
{
    struct event_batch *batch = event_batch_of(kind, &item, 1);
    struct buf said = BUF_INIT;
    event_bench_store(bench, batch);
    event_put_outcome(&said, event_batch_outcome(batch, 0));
    if (strcmp(buf_cstr(&said), expected) != 0)
        fail_msg("%s gave \"%s\", not \"%s\"", item, said.data, expected);
    buf_free(&said);
    event_batch_free(batch);
}

#endif
