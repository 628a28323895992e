/* Where a parity check reads documents: legacy files, the repo, another server, a folder. One file for each kind:
 * parity_source_files.c, parity_source_repo.c, parity_source_url.c. */
#ifndef NOF0_CLI_PARITY_SOURCE_H
#define NOF0_CLI_PARITY_SOURCE_H

#include "base/buf.h"
#include "base/err.h"
#include "ingest/name_set.h"
#include "server/endpoints.h"

enum parity_source_kind {
    PARITY_FROM_LEGACY, /* the folder of legacy.dir, as the server's loader reads it */
    PARITY_FROM_REPO,   /* the database of postgres.dsn: what the server makes of its rows */
    PARITY_FROM_URL,    /* a running server of this API */
    PARITY_FROM_FOLDER, /* any folder in the legacy layout */
};

struct parity_source;

struct parity_source_ops {
    /* What is read from now on is not older than this call. False: nothing can be read. */
    bool (*look)(struct parity_source *source, struct err *err);
    /* Adds the models of which the source has analytics. */
    bool (*models)(struct parity_source *source, struct name_set *models, struct err *err);
    /* Appends the endpoint's whole document, good JSON, with its serverTime where the API gives one; appends nothing
     * when the source has nothing of the endpoint. `model` is for analytics_one. */
    bool (*read)(struct parity_source *source, const struct endpoint *endpoint, struct slice model, struct buf *json,
                 struct err *err);
    void (*close)(struct parity_source *source);
};

/* The head of each kind's own struct. */
struct parity_source {
    const struct parity_source_ops *ops;
    enum parity_source_kind kind;
    char *name; /* "legacy", "repo", a URL without credentials, a folder; owned */
};

/* "legacy", "repo", a URL that begins with http:// or https://, else a folder. Settings (legacy.dir, postgres.*) and
 * text must outlive the source. `stop_fd` (-1: none) being readable ends a wait for a server early. NULL with
 * ERR_INVALID when there can be no such source; whether a server answers is seen later. */
struct parity_source *parity_source_open(const char *text, const struct settings *settings, int stop_fd,
                                         struct err *err);
void parity_source_close(struct parity_source *source); /* NULL is fine */

/* Whether what it says may change while it is looked at. A folder is taken to be left alone. */
static inline bool parity_source_moves(const struct parity_source *source)
{
    return source->kind != PARITY_FROM_FOLDER;
}

/* The kinds' own. */
struct parity_source *parity_source_files(enum parity_source_kind kind, const char *dir, struct err *err);
struct parity_source *parity_source_repo(const struct settings *settings, struct err *err);
struct parity_source *parity_source_url(const char *text, int stop_fd, struct err *err);

/* Whether the text is a good document of the endpoint: strict JSON with the rows in their place. */
bool parity_source_check(const struct endpoint *endpoint, struct slice json, struct err *err);

#endif
