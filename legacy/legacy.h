/* The legacy path: a folder of JSON files, each read once per version by a thread of its own and kept as bytes that are
 * ready to serve. Readers hold an immutable set; a newer one replaces it whole. A file that turns bad keeps its last
 * good version in service and says where it is bad. A file may have up to 1 GiB. */
#ifndef NOF0_LEGACY_LEGACY_H
#define NOF0_LEGACY_LEGACY_H

#include "base/buf.h"
#include "base/err.h"
#include "repo/read_query.h"

#include <stdint.h>

/* One immutable view of the folder. Counted: hold with legacy_set_ref, let go with legacy_set_unref, from any thread.
 */
struct legacy_set;
struct legacy_set *legacy_set_ref(struct legacy_set *set);
void legacy_set_unref(struct legacy_set *set);

/* Reads the folder now, on the calling thread (for tools and tests). Never NULL: files that are missing or bad are in
 * the set as such. `previous` (may be NULL) gives the last good versions and spares unchanged files the parsing. */
struct legacy_set *legacy_set_load(const char *dir, struct legacy_set *previous);

struct legacy_file_state {
    const char *name;                                                     /* "trades.json" */
    enum { LEGACY_MISSING, LEGACY_GOOD, LEGACY_STALE, LEGACY_BAD } state; /* STALE: bad now, the last good is served */
    const char *fault; /* "trades.json: line 3, column 7: $.trades[0].id: ..."; "" when good */
    int64_t modified_ms;
    size_t size;
};
/* The states of all files of the set, by name. Valid as long as the set. */
const struct legacy_file_state *legacy_set_files(const struct legacy_set *set, size_t *count);

struct legacy_answer {
    struct slice json; /* an object without its closing brace and without serverTime (see assembler.h) */
    uint64_t version;  /* not 0: json is the whole file, lives as long as the set, and this number is the same exactly
                          while the bytes are; 0: json is in scratch, made for this query */
    bool has_server_time;   /* the file had one */
    int64_t server_time_ms; /* it */
};

/* Answers a query from the set: the whole file where nothing narrows it, else the elements that match (read_query.h
 * says which). ANALYTICS_ONE: the model's own file, else its entry in the list, else the empty analytics of the
 * contract. False: ERR_UNAVAILABLE, with the file's fault, when no good version was ever read. */
bool legacy_set_answer(const struct legacy_set *set, const struct read_query *query, struct buf *scratch,
                       struct legacy_answer *answer, struct err *err);

/* A thread that loads the folder, then looks every poll_ms whether a file changed (inode, size, mtime in ns), and calls
 * publish(arg, set) from that thread with each new set (the callee gets a reference of its own). The first call comes
 * before legacy_loader_start returns. */
struct legacy_loader;
struct legacy_loader *legacy_loader_start(const char *dir, int64_t poll_ms,
                                          void (*publish)(void *arg, struct legacy_set *set), void *arg,
                                          struct err *err);
/* Stops and joins the thread. */
void legacy_loader_stop(struct legacy_loader *loader);

#endif
