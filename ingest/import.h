/* A folder of legacy JSON files into Postgres, so that export and the API give it back as it was. A file is checked as
 * a whole first and then loaded in one transaction: a bad one changes nothing, and an import that is killed at any
 * instant can be started again. Importing twice is the same as importing once. */
#ifndef NOF0_INGEST_IMPORT_H
#define NOF0_INGEST_IMPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct import_options {
    const char *dsn;
    const char *dir;
    const char *only;            /* one endpoint ("trades"); NULL for all */
    const char *prices_provider; /* whose prices crypto-prices.json holds */
    bool quiet;                  /* say only what is wrong */
    bool bar;                    /* draw progress on `problems`, which is a terminal */
    FILE *out;
    FILE *problems;
    /* Told after each commit, which endpoint's rows it may have changed ("trades") and the version of the data that has
     * it for certain (repo/version.h). NULL: nobody wants to know. */
    void (*committed)(void *arg, const char *endpoint, int64_t version);
    void *committed_arg;
};

enum import_result {
    IMPORT_DONE,   /* everything that is there was imported */
    IMPORT_FAULTS, /* some file is bad and was left out; the others were imported */
    IMPORT_FAILED, /* could not run: no database, no such folder, no known file in it */
};

/* Imports, telling everything on the two streams. */
enum import_result import_folder(const struct import_options *options);

/* The names that `only` may have, ended by NULL. */
const char *const *import_endpoint_names(void);

#endif
