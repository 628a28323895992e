/* Configuration files: YAML of nested maps with plain values, described by a table. `${NAME}` and `${NAME:-default}`
 * inside a value come from the environment (`$${` stands for a plain "${"). The engine knows nothing of the keys but
 * their rows; everything that is wrong with a file is reported at once. */
#ifndef NOF0_BASE_CONFIG_H
#define NOF0_BASE_CONFIG_H

#include "base/buf.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum config_type {
    CONFIG_TEXT,   /* char *: owned, never NULL */
    CONFIG_SECRET, /* char *: as CONFIG_TEXT, but config_print hides passwords in it and faults never quote it */
    CONFIG_INT,    /* int64_t */
    CONFIG_MS,     /* int64_t: milliseconds */
    CONFIG_SHARE,  /* double: from 0 to 1 */
    CONFIG_BOOL,   /* bool: "true" or "false" */
    CONFIG_ENUM,   /* an enum type whose constants count up from 0 like the names */
};

struct config_row {
    const char *key; /* "server.port"; keys with the same part before the last '.' must stand together */
    enum config_type type;
    bool restart;  /* a change takes effect at the next start only */
    size_t offset; /* in the struct that is filled */
    const char *default_text;
    int64_t least; /* CONFIG_INT, CONFIG_MS: inclusive range */
    int64_t most;
    const char *const *names; /* CONFIG_ENUM: ends with NULL */
    const char *doc;          /* one line */
};

struct config_table {
    const struct config_row *rows;
    size_t row_count;
    size_t size; /* of the struct */
};

/* The value of an environment variable, or NULL when it is unset. `name` is NUL-terminated. */
typedef const char *config_lookup(void *arg, const char *name);

/* config_lookup on the process's environment; arg is ignored. */
const char *config_environment(void *arg, const char *name);

enum { CONFIG_MAX_BYTES = 1 << 20 };

/* Fills `into` (table->size bytes, whatever they hold) from the text: a key that is missing gets its default. Appends
 * one line for each fault, "name:line: key: what": bad YAML (ends the reading), keys that no row has, keys twice, maps
 * or lists where a value belongs, wrong types, values out of range, environment variables that are not set. True when
 * there was none; otherwise `into` holds nothing that must be freed. An empty text is good. Longest text:
 * CONFIG_MAX_BYTES. */
bool config_parse(const struct config_table *table, struct slice yaml, const char *name, config_lookup *lookup,
                  void *lookup_arg, void *into, struct buf *faults);

/* config_parse of a file with the process's environment. A file that cannot be read is a fault, "path: what". */
bool config_load(const struct config_table *table, const char *path, void *into, struct buf *faults);

/* Frees the texts in a filled struct, not the struct. */
void config_release(const struct config_table *table, void *values);

/* Appends the values as YAML that config_parse reads back to the same values, secrets through config_mask. */
void config_print(const struct config_table *table, const void *values, struct buf *out);

/* True when the row's value is the same in both structs. */
bool config_row_equal(const struct config_row *row, const void *a, const void *b);

/* Appends a connection string with every password in it replaced by "***": URLs and URIs (user:password@, and query
 * parameters named password, sslpassword, ...) and libpq's keyword/value form with its quotes and backslashes. What
 * cannot be taken apart for sure is hidden from there to its end. */
void config_mask(struct slice secret, struct buf *out);

#endif
