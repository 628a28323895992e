/* A set of short texts (models, symbols), kept in memory in the order of their first appearance. */
#ifndef NOF0_INGEST_NAMES_H
#define NOF0_INGEST_NAMES_H

#include "base/buf.h"
#include "ingest/once.h"

struct names {
    struct once *seen;
    struct buf last; /* the one added last: rows often repeat it */
    struct buf json; /* the names as elements of a JSON array, without its brackets */
};

void names_start(struct names *names);
void names_stop(struct names *names);
void names_add(struct names *names, struct slice name);
/* Appends all of them as a JSON array of texts. */
void names_put_json(const struct names *names, struct buf *out);

#endif
