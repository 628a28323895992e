#include "server/ingest_reply.h"

#include "base/json_write.h"

static void put_text(struct json_writer *w, const char *key, struct slice value)
{
    json_key(w, slice_of(key));
    json_string(w, value);
}

static void put_count(struct json_writer *w, const char *key, uint64_t value)
{
    json_key(w, slice_of(key));
    json_i64(w, (int64_t)value);
}

static void put_counts(struct json_writer *w, const struct event_counts *counts)
{
    put_count(w, "accepted", counts->accepted);
    put_count(w, "duplicate", counts->duplicate);
    put_count(w, "rejected", counts->rejected);
}

static const char *status_name(enum event_status status)
{
    switch (status) {
    case EVENT_ACCEPTED:
        return "accepted";
    case EVENT_DUPLICATE:
        return "duplicate";
    case EVENT_REJECTED:
        return "rejected";
    case EVENT_PENDING:
        break;
    }
    return "pending";
}

/* Everything but where the item stands. */
static void put_outcome(struct json_writer *w, const struct event_outcome *outcome)
{
    put_text(w, "status", slice_of(status_name(outcome->status)));
    if (outcome->superseded) {
        json_key(w, SLICE("superseded"));
        json_bool(w, true);
    }
    if (outcome->status != EVENT_REJECTED)
        return;
    put_text(w, "code", slice_of(outcome->code));
    put_text(w, "path", outcome->path);
    put_text(w, "reason", outcome->reason);
}

void ingest_put_document(struct buf *out, const struct event_batch *batch)
{
    struct json_writer w = json_writer_on(out);
    const struct event_counts counts = event_batch_counts(batch);
    json_begin_object(&w);
    put_counts(&w, &counts);
    json_key(&w, SLICE("items"));
    json_begin_array(&w);
    for (size_t i = 0; i < event_batch_count(batch); i++) {
        const struct event_outcome *outcome = event_batch_outcome(batch, i);
        json_begin_object(&w);
        put_count(&w, "index", i);
        if (outcome->id.p)
            put_text(&w, "id", outcome->id);
        put_outcome(&w, outcome);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
}

unsigned ingest_status(const struct event_batch *batch)
{
    const struct event_counts counts = event_batch_counts(batch);
    if (counts.rejected == 0)
        return 200;
    if (counts.accepted + counts.duplicate > 0)
        return 207;
    for (size_t i = 0; i < event_batch_count(batch); i++)
        if (strcmp(event_batch_outcome(batch, i)->code, "invalid") == 0)
            return 422;
    return 409;
}

static bool same_fate(const struct event_outcome *a, const struct event_outcome *b)
{
    return a->status == b->status && a->superseded == b->superseded && a->status != EVENT_REJECTED;
}

void ingest_put_lines(struct buf *out, const struct event_batch *batch, const uint64_t *lines)
{
    size_t count = event_batch_count(batch);
    for (size_t i = 0; i < count;) {
        const struct event_outcome *outcome = event_batch_outcome(batch, i);
        size_t end = i + 1;
        while (end < count && lines[end] == lines[end - 1] + 1 && same_fate(outcome, event_batch_outcome(batch, end)))
            end++;
        struct json_writer w = json_writer_on(out);
        json_begin_object(&w);
        if (end == i + 1) {
            put_count(&w, "line", lines[i]);
        } else {
            json_key(&w, SLICE("lines"));
            json_begin_array(&w);
            json_i64(&w, (int64_t)lines[i]);
            json_i64(&w, (int64_t)lines[end - 1]);
            json_end_array(&w);
        }
        put_outcome(&w, outcome);
        json_end_object(&w);
        buf_append_char(out, '\n');
        i = end;
    }
}

void ingest_put_summary(struct buf *out, const struct event_counts *counts)
{
    struct json_writer w = json_writer_on(out);
    json_begin_object(&w);
    json_key(&w, SLICE("done"));
    json_bool(&w, true);
    put_counts(&w, counts);
    json_end_object(&w);
    buf_append_char(out, '\n');
}

void ingest_put_abort(struct buf *out, uint64_t line, const char *code, const char *message)
{
    struct json_writer w = json_writer_on(out);
    json_begin_object(&w);
    json_key(&w, SLICE("done"));
    json_bool(&w, false);
    put_count(&w, "line", line);
    json_key(&w, SLICE("error"));
    json_begin_object(&w);
    put_text(&w, "code", slice_of(code));
    put_text(&w, "message", slice_of(message));
    json_end_object(&w);
    json_end_object(&w);
    buf_append_char(out, '\n');
}
