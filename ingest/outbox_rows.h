/* Rows of the outbox as its readers take them: a stretch in order of the ids, with the items taken apart. */
#ifndef NOF0_INGEST_OUTBOX_ROWS_H
#define NOF0_INGEST_OUTBOX_ROWS_H

#include "repo/outbox.h"

enum { OUTBOX_ITEM_TEXTS = 3 };

/* What one element of `items` says (repo/outbox.h): as many texts as its feed has. */
struct outbox_item {
    struct slice texts[OUTBOX_ITEM_TEXTS];
};

struct outbox_change {
    int64_t id;
    enum outbox_feed feed;     /* OUTBOX_FEED_COUNT: one that is not known here */
    struct slice feed_name;    /* as it stands in the row */
    struct slice json;         /* the items as they stand there */
    const char *fault;         /* why the row cannot be understood; NULL: it can */
    bool is_others;            /* meant for one other reader alone */
    struct outbox_item *items; /* none when the row is faulty or for others */
    size_t item_count;
};

struct outbox_batch {
    struct arena *arena; /* holds all that the rows point to */
    struct outbox_change *rows;
    size_t count;
    bool more; /* rows may follow these */
};

/* Reads the rows behind `position`, oldest first: at most `limit`, and no more behind the one with which some thousand
 * items are reached. `reader` is the name of who reads, as rows may have it in `target`. Free with outbox_batch_free,
 * also after a failure. */
bool outbox_batch_read(struct outbox_batch *batch, struct session *session, int64_t position, const char *reader,
                       size_t limit, struct err *err) MUST_CHECK;
void outbox_batch_free(struct outbox_batch *batch);

/* The id of the last row; the batch has one. */
int64_t outbox_batch_last(const struct outbox_batch *batch);

#endif
