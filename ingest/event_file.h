/* Events from a file or from standard input into Postgres, batch by batch. How far a regular file was taken in is kept
 * in the transaction that stores each batch (table ingest_files), so that whoever is stopped at any moment goes on
 * there, and a file that has grown since is taken in from its old end. A file is known again by its kind of events and
 * by how it begins: a digest of its first 64 KiB, or of all of it while it is shorter. */
#ifndef NOF0_INGEST_EVENT_FILE_H
#define NOF0_INGEST_EVENT_FILE_H

#include "ingest/event.h"

#include <signal.h>
#include <stdio.h>

struct event_file_options {
    const char *dsn;
    enum event_kind kind;
    const char *path; /* "-": standard input, which is always taken in from its beginning */
    const char *prices_provider;
    size_t most_item_bytes;
    bool atomic;  /* all of it in one transaction, or nothing */
    bool restart; /* from the beginning, whatever was taken in before */
    bool quiet;
    bool bar;
    FILE *out;
    FILE *problems;
    const volatile sig_atomic_t *stop; /* becomes true: ends between two batches */
};

enum event_file_result {
    EVENT_FILE_DONE,     /* every item was accepted, or is a duplicate */
    EVENT_FILE_REJECTED, /* some were not */
    EVENT_FILE_FAILED,   /* the file or Postgres; or it was stopped */
};

enum event_file_result event_file_store(const struct event_file_options *options);

#endif
