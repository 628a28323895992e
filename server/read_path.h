/* The way of a read: the flags say whether rows or legacy files answer this client of the endpoint; their answer
 * becomes a document, and the document a reply. A request goes by the flags as they are when it comes, to its end.
 * Everything here belongs to one worker's loop; only the making of large documents leaves it for a while
 * (server/offload.h). */
#ifndef NOF0_SERVER_READ_PATH_H
#define NOF0_SERVER_READ_PATH_H

#include "repo/reads.h"
#include "server/answer_cache.h"
#include "server/endpoints.h"
#include "server/hot.h"
#include "server/http.h"
#include "server/legacy_documents.h"
#include "server/offload.h"
#include "server/recent.h"
#include "server/shadow_tap.h"

/* What a worker reads with. Open on purpose: the worker replaces what a reload or a new legacy set changes, at any time
 * between two callbacks of its loop. */
struct read_path {
    const struct settings *settings;
    struct flag_set *flags;          /* held */
    struct repo_reads *reads;        /* NULL: no Postgres is configured */
    struct answer_cache *answers;    /* of `reads`; NULL: none are kept */
    struct legacy_documents *legacy; /* NULL: no folder is configured */
    struct recent *recent;           /* parts of `legacy` that were asked for; cleared when it changes */
    struct hot *hot;                 /* targets answered lately; NULL: none are kept. Cleared when anything changes */
    struct stream_hub *stream;       /* live events; NULL: nothing is at their path */
    struct shadow_tap tap;           /* takes answers to be compared; zero: none */
    struct offload *offload;
    struct mailbox *mailbox; /* of the worker's loop */
    struct {
        uint64_t answers, errors; /* of these, 5xx and old answers for want of new ones */
    } of_rows[FLAG_COUNT];        /* what clients got from rows, but for what `hot` answered */
    struct {                      /* a source that is down is logged once a second, not once a request */
        int64_t second;
        int64_t untold;
    } failures;
};

/* Goes over to other legacy documents (NULL: none); takes the reference. */
void read_path_take_legacy(struct read_path *path, struct legacy_documents *documents);

/* Goes over to other settings or flags (takes the reference), together. Must come before the first request. */
void read_path_go_by(struct read_path *path, const struct settings *settings, struct flag_set *flags);

/* Answers the request, now or later. `query` is the checked question; its slices must live as long as the request. */
void read_path_answer(struct read_path *path, struct http_request *request, const struct endpoint *endpoint,
                      const struct read_query *query);

#endif
