/* What a capture remembers of its folder between runs, in the folder's .capture.json: each file's validators, and
 * whether the database has what the file says. A file that is not as it was left is forgotten, so that everything here
 * may get lost and costs only time. */
#ifndef NOF0_INGEST_CAPTURE_STATE_H
#define NOF0_INGEST_CAPTURE_STATE_H

#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

struct capture_entry {
    char *name; /* "trades": the file without .json */
    char *path; /* what the validators speak of, "/api/trades"; NULL when there are none */
    char *etag;
    char *last_modified;
    char *digest;  /* of the file's bytes; NULL when it was never written */
    bool ingested; /* the database has what the file says */
    /* What tells whether the file was touched, not stored. */
    int64_t size;
    int64_t mtime_ns;
    uint64_t inode;
};

struct capture_state;

/* Reads DIR/.capture.json; without one, or when it is damaged or speaks of another place than `from` (the base URL),
 * validators are forgotten. `database` names the database that is fed; of another one nothing counts
 * as ingested. NULL: none is, and what is remembered of one stays. */
struct capture_state *capture_state_load(const char *dir, const char *from, const char *database);
void capture_state_free(struct capture_state *state);

/* The entry of a name, made at its first call, held against the file there: owned by the state. */
struct capture_entry *capture_state_entry(struct capture_state *state, const char *name);

/* The file is there as the entry knows it. Otherwise the entry forgets what it knew; false. */
bool capture_entry_holds(struct capture_state *state, struct capture_entry *entry);

/* The file was replaced by `bytes`. Validators are forgotten. */
void capture_entry_written(struct capture_state *state, struct capture_entry *entry, struct slice bytes, bool ingested);
/* NULL for both: there are none. */
void capture_entry_validators(struct capture_state *state, struct capture_entry *entry, const char *path,
                              const char *etag, const char *last_modified);
void capture_entry_ingested(struct capture_state *state, struct capture_entry *entry, bool ingested);

/* Writes .capture.json if something changed since it was read or written. */
bool capture_state_save(struct capture_state *state, struct err *err) MUST_CHECK;

/* As file_read. */
struct buf;
bool capture_read_file(const char *dir, const char *name, struct buf *bytes, struct err *err) MUST_CHECK;

#endif
