/* What a capture finds, into a database: differences as events, whole endpoints as imports. Blocking. */
#ifndef NOF0_INGEST_CAPTURE_FEED_H
#define NOF0_INGEST_CAPTURE_FEED_H

#include "base/buf.h"
#include "base/err.h"
#include "ingest/capture_document.h"

#include <stdio.h>

struct capture_feed;

struct capture_feed_options {
    const char *dsn;
    const char *dir;             /* the folder of the capture */
    const char *prices_provider; /* whose prices crypto-prices are */
    FILE *problems;
    /* As in struct import_options. */
    void (*committed)(void *arg, const char *endpoint, int64_t version);
    void *committed_arg;
};

/* Connects. The strings outlive the feed. NULL with *err when there is no migrated database. */
struct capture_feed *capture_feed_open(const struct capture_feed_options *options, struct err *err);
void capture_feed_close(struct capture_feed *feed); /* NULL is fine */

/* What tells this database from others, also from one of the same name that it replaced. */
const char *capture_feed_database(const struct capture_feed *feed);

struct capture_feed_counts {
    size_t stored;   /* events that said something new */
    size_t rejected; /* each was told on options->problems, with endpoint, id, place and reason */
    size_t imported; /* endpoints imported as a whole */
};
/* Since the last call. */
struct capture_feed_counts capture_feed_take_counts(struct capture_feed *feed);

/* Stores the differences of two captures (capture_diff.h). False: the database failed, and the same differences must be
 * given again (what was stored already does no harm). Otherwise appends to *beyond what events cannot say. */
bool capture_feed_differences(struct capture_feed *feed, enum capture_endpoint endpoint, struct slice before,
                              struct slice now, int64_t at_ms, struct buf *beyond, struct err *err) MUST_CHECK;

/* Imports the folder's files of the endpoint as a whole. */
bool capture_feed_import(struct capture_feed *feed, enum capture_endpoint endpoint, struct err *err) MUST_CHECK;

#endif
