/* The numbered migrations: NNNN_name.up.sql and NNNN_name.down.sql, from 0001 on without a gap. They are built into the
 * program; a folder can be read in their place.
 *
 * A file runs inside one transaction, together with the record that it ran. What Postgres refuses inside a transaction
 * (CREATE INDEX CONCURRENTLY) goes into a file whose first line is "-- nof0: no transaction"; its statements stand
 * apart by lines "-- nof0: next" and run one by one. */
#ifndef NOF0_REPO_MIGRATION_SET_H
#define NOF0_REPO_MIGRATION_SET_H

#include "base/err.h"
#include "base/slice.h"

enum { MIGRATION_CHECKSUM_SIZE = 65 };

struct migration {
    unsigned version;  /* from 1 */
    const char *label; /* "0003_accounts" */
    const char *up;
    const char *down;
    char checksum[MIGRATION_CHECKSUM_SIZE]; /* SHA-256 of `up` in hex; `down` may still be mended later */
};

struct migration_set {
    struct migration *migrations; /* in order; migrations[i].version is i + 1 */
    unsigned count;
};

struct migration_file {
    const char *name;
    const char *text;
    size_t n;
};

/* The files of migrations/ as they were when the program was built. */
extern const struct migration_file migrations_embedded[];
extern const size_t migrations_embedded_count;

/* NULL with ERR_INVALID when a name has another form, a file is empty or has a zero byte, an up or a down is missing,
 * two names share a number, or a number is left out. Texts are copied. Free with migration_set_free. */
struct migration_set *migration_set_new(const struct migration_file *files, size_t count, struct err *err);
struct migration_set *migration_set_embedded(struct err *err);
/* Every *.sql of the folder. ERR_IO when it cannot be read. */
struct migration_set *migration_set_read(const char *folder, struct err *err);
void migration_set_free(struct migration_set *set); /* NULL is fine */

#endif
