/* Postgres into a folder of legacy JSON files: every feed that was imported, as it went in. All files show one snapshot
 * of the database; each is replaced whole; memory stays bounded whatever their size. */
#ifndef NOF0_INGEST_EXPORT_H
#define NOF0_INGEST_EXPORT_H

#include <stdbool.h>
#include <stdio.h>

struct export_options {
    const char *dsn;
    const char *dir;             /* made if need be; may hold nothing but files that this export writes */
    const char *prices_provider; /* whose prices go to crypto-prices.json */
    bool quiet;                  /* say only what is wrong */
    FILE *out;
    FILE *problems;
};

/* Exports, telling everything on the two streams. False when it could not; files that were written until then stay. */
bool export_folder(const struct export_options *options);

#endif
