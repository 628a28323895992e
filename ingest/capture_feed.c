#include "ingest/capture_feed.h"

#include "base/mem.h"
#include "ingest/capture_diff.h"
#include "ingest/import.h"
#include "repo/session.h"

#include <stdlib.h>

enum {
    BATCH_ITEMS = 2000,
    BATCH_BYTES = 16 * 1024 * 1024,
    PATIENCE_MS = 60000,
};

struct capture_feed {
    struct capture_feed_options options;
    char *database;
    struct event_writer *writer; /* NULL: not connected, or not any more */
    struct capture_feed_counts counts;
};

/* Storing the items of one endpoint. */
struct storing {
    struct capture_feed *feed;
    enum capture_endpoint endpoint;
    struct event_batch *batch; /* NULL: none begun */
    struct buf paths;          /* of the batch's items, each ended by NUL */
    struct err *err;
    bool failed;
};

static bool find_database(struct capture_feed *feed, struct err *err)
{
    static const char sql[] = "SELECT format('%s/%s/%s', current_database(), (SELECT oid FROM pg_database WHERE"
                              " datname = current_database()), (SELECT extract(epoch FROM min(applied_at)) FROM"
                              " schema_migrations))";
    struct session *session = session_open(feed->options.dsn, err);
    PGresult *result = session ? session_query(session, sql, NULL, err) : NULL;
    if (result) {
        /* The binary form of a text is the text. */
        feed->database = mem_strndup(PQgetvalue(result, 0, 0), (size_t)PQgetlength(result, 0, 0));
    }
    PQclear(result);
    session_close(session);
    return result != NULL;
}

static bool connect_writer(struct capture_feed *feed, struct err *err)
{
    if (!feed->writer) {
        const struct event_writer_options options = {.dsn = feed->options.dsn, .patience_ms = PATIENCE_MS};
        feed->writer = event_writer_open(&options, err);
    }
    return feed->writer != NULL;
}

struct capture_feed *capture_feed_open(const struct capture_feed_options *options, struct err *err)
{
    struct capture_feed *feed = mem_zalloc(sizeof *feed);
    feed->options = *options;
    if (!find_database(feed, err) || !connect_writer(feed, err)) {
        capture_feed_close(feed);
        return NULL;
    }
    return feed;
}

void capture_feed_close(struct capture_feed *feed)
{
    if (!feed)
        return;
    if (feed->writer)
        event_writer_close(feed->writer);
    free(feed->database);
    free(feed);
}

const char *capture_feed_database(const struct capture_feed *feed)
{
    return feed->database;
}

struct capture_feed_counts capture_feed_take_counts(struct capture_feed *feed)
{
    struct capture_feed_counts counts = feed->counts;
    feed->counts = (struct capture_feed_counts){0};
    return counts;
}

static void tell_rejected(struct storing *storing)
{
    const char *path = storing->paths.data;
    for (size_t i = 0; i < event_batch_count(storing->batch); i++, path += strlen(path) + 1) {
        const struct event_outcome *outcome = event_batch_outcome(storing->batch, i);
        if (outcome->status != EVENT_REJECTED)
            continue;
        /* "$.trades[3]" and "$.entry_price" are one path. */
        struct slice inner = outcome->path.n ? (struct slice){outcome->path.p + 1, outcome->path.n - 1} : SLICE("");
        (void)fprintf(storing->feed->options.problems, "%s: %s%.*s: %s: %.*s%s%.*s\n",
                      capture_kinds[storing->endpoint].name, path, SLICE_ARG(inner), outcome->code,
                      SLICE_ARG(outcome->reason), outcome->id.p ? ", id " : "", SLICE_ARG(outcome->id));
    }
}

/* Stores what was gathered. */
static void flush(struct storing *storing)
{
    struct capture_feed *feed = storing->feed;
    if (storing->batch && !storing->failed) {
        storing->failed = !connect_writer(feed, storing->err) ||
                          !event_writer_store(feed->writer, &storing->batch, 1, NULL, storing->err);
        if (storing->failed) {
            /* Whatever it was: the next attempt begins with a new connection. */
            event_writer_close(feed->writer);
            feed->writer = NULL;
        } else {
            struct event_counts counts = event_batch_counts(storing->batch);
            feed->counts.stored += counts.accepted;
            feed->counts.rejected += counts.rejected;
            tell_rejected(storing);
        }
    }
    if (storing->batch)
        event_batch_free(storing->batch);
    storing->batch = NULL;
    buf_clear(&storing->paths);
}

static void on_item(void *arg, enum event_kind kind, struct slice item, const char *path)
{
    struct storing *storing = arg;
    if (storing->failed)
        return;
    if (!storing->batch)
        storing->batch = event_batch_new(kind, storing->feed->options.prices_provider);
    event_batch_add(storing->batch, item);
    buf_append(&storing->paths, path, strlen(path) + 1);
    if (event_batch_count(storing->batch) >= BATCH_ITEMS || event_batch_bytes(storing->batch) >= BATCH_BYTES)
        flush(storing);
}

bool capture_feed_differences(struct capture_feed *feed, enum capture_endpoint endpoint, struct slice before,
                              struct slice now, int64_t at_ms, struct buf *beyond, struct err *err)
{
    struct storing storing = {.feed = feed, .endpoint = endpoint, .err = err, .paths = BUF_INIT};
    const struct capture_diff diff = {
        .endpoint = endpoint,
        .before = before,
        .now = now,
        .at_ms = at_ms,
        .on_item = on_item,
        .arg = &storing,
    };
    (void)capture_diff(&diff, beyond);
    flush(&storing);
    buf_free(&storing.paths);
    return !storing.failed;
}

bool capture_feed_import(struct capture_feed *feed, enum capture_endpoint endpoint, struct err *err)
{
    const struct import_options options = {
        .dsn = feed->options.dsn,
        .dir = feed->options.dir,
        .only = capture_kinds[endpoint].name,
        .prices_provider = feed->options.prices_provider,
        .quiet = true,
        .out = feed->options.problems,
        .problems = feed->options.problems,
        .committed = feed->options.committed,
        .committed_arg = feed->options.committed_arg,
    };
    enum import_result result = import_folder(&options);
    if (result != IMPORT_DONE)
        return err_set(err, ERR_UNAVAILABLE, "it could not be imported%s",
                       result == IMPORT_FAULTS ? ", since it has faults" : "");
    feed->counts.imported++;
    return true;
}
