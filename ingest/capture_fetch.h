/* Fetching over HTTP, many at once, connections kept alive (libcurl). One thread at a time. What an answer means is
 * said as far as HTTP says it: got, unchanged, worth another try, or refused. */
#ifndef NOF0_INGEST_CAPTURE_FETCH_H
#define NOF0_INGEST_CAPTURE_FETCH_H

#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

/* Where an API is. */
struct capture_site {
    char *base;     /* "https://host/x", without credentials and the slash behind; "/api/..." is appended */
    char *user;     /* of the URL, for the server's authentication; NULL when there is none */
    char *password; /* likewise */
};

/* Reads the URL of a server (http or https, perhaps with a path) or of its API (".../api"). False with ERR_INVALID. */
bool capture_site_parse(struct capture_site *site, const char *url, struct err *err) MUST_CHECK;
void capture_site_free(struct capture_site *site);

struct capture_fetch_options {
    const struct capture_site *site; /* outlives the fetcher */
    int64_t timeout_ms; /* for connecting, and for each wait for more bytes; the whole may take six times it */
    int64_t max_bytes;  /* of a body, unpacked */
};

struct capture_fetch;

struct capture_fetch *capture_fetch_new(const struct capture_fetch_options *options, struct err *err);
/* Ends what is under way. NULL is fine. */
void capture_fetch_free(struct capture_fetch *fetch);

/* Begins a GET of site->base + path. Validators may be NULL; they make it conditional. `owner` comes back with the
 * answer. */
void capture_fetch_start(struct capture_fetch *fetch, void *owner, const char *path, const char *etag,
                         const char *last_modified);
/* How many are under way. */
size_t capture_fetch_count(const struct capture_fetch *fetch);

enum capture_outcome {
    CAPTURE_GOT,       /* 200 with a whole body */
    CAPTURE_UNCHANGED, /* 304 to a conditional request */
    CAPTURE_AGAIN,     /* failed in a way that may pass: no connection, too slow, cut off, 408, 429, 5xx */
    CAPTURE_REFUSED,   /* any other way */
};

struct capture_answer {
    void *owner;
    enum capture_outcome outcome;
    long status;    /* of HTTP; 0 when there was no answer */
    struct err err; /* of AGAIN and REFUSED */
    int64_t retry_after_s;
    struct slice body;
    const char *etag;          /* NULL when the server sent none */
    const char *last_modified; /* likewise */
};

/* Works until an answer is there (true; it is valid until the next call), or wait_ms have passed or wake_fd (-1: none)
 * is readable (false). */
bool capture_fetch_next(struct capture_fetch *fetch, int64_t wait_ms, int wake_fd, struct capture_answer *answer);

/* A path segment, percent-encoded; free() it. */
char *capture_escape(struct slice segment);

#endif
