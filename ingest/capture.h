/* A capture: every endpoint of a running API into a folder of legacy JSON files, once or again and again. A file is
 * replaced only by a whole, good answer that says something else. */
#ifndef NOF0_INGEST_CAPTURE_H
#define NOF0_INGEST_CAPTURE_H

#include "ingest/capture_feed.h"
#include "ingest/capture_fetch.h"

#include <stdio.h>

enum { CAPTURE_PARALLEL = 16 /* requests at once */ };

struct capture_options {
    const struct capture_site *site;
    const char *dir;           /* made when it is not there */
    struct capture_feed *feed; /* a database that takes what is found as well; NULL: none */
    int64_t every_ms;          /* 0: once */
    int64_t timeout_ms;        /* see capture_fetch.h */
    int64_t max_bytes;         /* likewise */
    int64_t retries;           /* of each request, each time */
    int stop_fd;               /* ends the capture when it becomes readable; -1: none */
    bool verbose;              /* say each request */
    FILE *out;
    FILE *problems;
};

enum capture_result {
    CAPTURE_DONE,    /* every endpoint was got; of a repeated one: it was stopped */
    CAPTURE_TROUBLE, /* some were not, or an event was rejected, which was told */
    CAPTURE_FAILED,  /* could not run, which was told */
};

enum capture_result capture_run(const struct capture_options *options);

#endif
