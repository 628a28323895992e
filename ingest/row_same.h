/* Whether two rows say the same. */
#ifndef NOF0_INGEST_ROW_SAME_H
#define NOF0_INGEST_ROW_SAME_H

#include "repo/table.h"

/* Compares the written columns but those whose names are in `except` (ended by NULL): texts and numbers bit for bit,
 * JSON as documents. *differs (may be NULL) receives the name of the first column that differs. */
bool row_same(const struct table *table, const void *a, const void *b, const char *const *except, const char **differs);

#endif
