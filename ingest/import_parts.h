/* What the files of the import share. Private to ingest. */
#ifndef NOF0_INGEST_IMPORT_PARTS_H
#define NOF0_INGEST_IMPORT_PARTS_H

#include "base/arena.h"
#include "base/err.h"
#include "ingest/feed_order.h"
#include "ingest/import.h"
#include "ingest/instant.h"
#include "ingest/names.h"
#include "ingest/once.h"
#include "ingest/report.h"
#include "ingest/source.h"
#include "ingest/wire_check.h"
#include "repo/bulk.h"
#include "repo/session.h"

struct import {
    const struct import_options *options;
    struct report *report;
    struct session *session;
    bool found;           /* some known file is there */
    bool faulty;          /* some file was bad */
    bool holdings_loaded; /* positions.json or account-totals.json, so that comparing them is of interest */
    uint64_t work_done;   /* bytes of work, for the bar */
};

/* What a file says beside its rows. */
struct import_document {
    struct col_i64 server_time_ms;
    struct wire_remark remark;
    bool list_seen;
};

struct import_pass;

/* One kind of file that is a list (or map) of rows. Walked once to check and `load_walks` times to load. */
struct import_kind {
    const char *name;     /* "trades": the file without .json, and the endpoint */
    const char *list_key; /* "trades": where the rows stand */
    bool is_map;          /* rows are the members of an object */
    int load_walks;
    size_t state_size; /* of what the kind keeps between calls, zeroed at the start of checking and of loading */
    /* One row; key is its member's name in a map, else NULL. False when the database failed. Tells faults to the pass
     * when it checks. */
    bool (*element)(struct import_pass *pass, const cJSON *element, const char *key, const char *path, struct err *err);
    /* After checking, with no fault found: last words on the document, notices. May be NULL. */
    void (*checked)(struct import_pass *pass);
    /* Where all rows go: loaded through pass->bulk, and rows that are no longer there leave the feed. NULL for kinds
     * that do it by themselves with the three calls below. */
    const struct table *table;
    /* Before the first walk of loading. */
    bool (*begin)(struct import_pass *pass, struct err *err);
    /* After each walk of loading: merges. */
    bool (*end)(struct import_pass *pass, struct err *err);
    /* Frees what the state holds, after checking and after loading, whatever happened. */
    void (*release)(struct import_pass *pass);
};

struct import_pass {
    struct import *import;
    const struct import_kind *kind;
    struct source *source;
    int walk;            /* 0: checking; 1...: loading */
    struct arena *arena; /* lives as long as one element */
    struct wire_reader reader;
    struct import_document document;
    struct names models; /* to be known before rows speak of them */
    struct names symbols;
    struct once *ids;     /* keys of rows */
    struct once *seconds; /* second keys of rows, where they have two */
    struct feed_order order;
    struct slice element; /* the text of the row at hand */
    struct err err;       /* why a walk stopped */
    size_t repeats;       /* rows that came twice */
    struct bulk_counts counts;
    int64_t removed;   /* rows that left otherwise than by bulk_merge */
    struct bulk *bulk; /* of kind->table, while it loads */
    void *state;
};

/* Imports one file of a kind; a missing one is a notice. False when the whole import must end, with *err filled. */
bool import_list(struct import *import, const struct import_kind *kind, struct err *err);

/* The analytics of all models and the files of single ones, together. */
bool import_analytics(struct import *import, struct err *err);

extern const struct import_kind import_crypto_prices;
extern const struct import_kind import_account_totals;
extern const struct import_kind import_positions;
extern const struct import_kind import_trades;
extern const struct import_kind import_since_inception;
extern const struct import_kind import_leaderboard;
extern const struct import_kind import_conversations;

/* A fault of the row at hand. */
void import_fault(struct import_pass *pass, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A line about the file that is no fault. */
void import_notice(struct import_pass *pass, const char *format, ...) __attribute__((format(printf, 2, 3)));

enum import_once { IMPORT_NEW, IMPORT_REPEAT, IMPORT_CLASH };

/* Whether the row at hand is the first with its key: NEW. A later one with equal content is a REPEAT (counted when
 * checking), any other a CLASH, which is told as a fault of `path`. */
enum import_once import_once(struct import_pass *pass, struct once *once, struct slice key, const char *path);

/* Adds the counts of one merge to the pass. */
void import_count(struct import_pass *pass, const struct bulk_counts *counts);

/* Reads a member that stands beside the rows: serverTime, or one that is kept as it is. */
void import_document_member(struct import_document *document, struct source *source, const char *key,
                            const cJSON *value);
void import_document_free(struct import_document *document);

/* Writes the feed_documents row. imported_at moves on only when something `changed`, so that importing twice writes
 * nothing. */
bool import_document_store(struct import *import, const char *name, const char *shape, struct import_document *document,
                           bool changed, struct err *err);

/* Makes the models and symbols known that are not yet. */
bool import_store_names(struct import *import, const struct names *models, const struct names *symbols,
                        struct err *err);

/* Begins a transaction and waits until no other import is under way. */
bool import_begin(struct import *import, struct err *err);

/* After the commit of what `endpoint` serves: tells options->committed. False when the database failed. */
bool import_committed(struct import *import, const char *endpoint, struct err *err);

/* After a failed load: rolls back. An error that speaks of the file's content is told as its fault, and true means that
 * the import goes on with the next file. */
bool import_load_failed(struct import *import, struct source *source, const struct err *err);

#endif
