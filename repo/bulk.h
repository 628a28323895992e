/* Many rows of one table, loaded and merged inside the transaction that is open on a session. Rows go through a
 * temporary table by binary COPY, about a megabyte at a time, so memory stays bounded; several loads of different
 * tables may be under way on one session. Rows must differ in their key: two with the same key are ERR_CONFLICT at the
 * merge. */
#ifndef NOF0_REPO_BULK_H
#define NOF0_REPO_BULK_H

#include "repo/session.h"

struct bulk;

struct bulk_counts {
    int64_t inserted;
    int64_t updated;
    int64_t unchanged; /* stood there already with the same content, bit for bit: not touched */
    int64_t left;      /* with BULK_LEAVE_FEED: rows that lost their feed_ordinal */
};

enum bulk_merge_kind {
    BULK_KEEP_FEED,  /* rows that were not loaded stay as they are */
    BULK_LEAVE_FEED, /* rows of the table that have a feed_ordinal but were not loaded get feed_ordinal NULL */
};

/* Makes the temporary table. NULL on failure. The session must outlive the bulk. */
struct bulk *bulk_begin(struct session *session, const struct table *table, struct err *err);

/* The temporary table's name: it has the written columns of the table. For own statements between bulk_flush and
 * bulk_free. */
const char *bulk_staging(const struct bulk *bulk);

/* Adds one row, copied at once. Errors of the row itself: as repo/encode.h, ERR_INVALID; the load can go on then. Any
 * other error has spoilt the transaction. */
bool bulk_add(struct bulk *bulk, const void *row, struct err *err) MUST_CHECK;

/* Sends what is still in memory, so that the temporary table has every row added. bulk_merge does this by itself. */
bool bulk_flush(struct bulk *bulk, struct err *err) MUST_CHECK;

/* Merges into the table: inserts new keys in the order in which they were added, updates rows whose written columns
 * differ (updated_at = now()). *counts is filled on success. Once per bulk. */
bool bulk_merge(struct bulk *bulk, enum bulk_merge_kind kind, struct bulk_counts *counts, struct err *err) MUST_CHECK;

/* Drops the temporary table where the transaction still works, and frees. NULL is fine. */
void bulk_free(struct bulk *bulk);

#endif
