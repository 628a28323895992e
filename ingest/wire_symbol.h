/* Rows that stand in a map symbol -> row and name their symbol again. */
#ifndef NOF0_INGEST_WIRE_SYMBOL_H
#define NOF0_INGEST_WIRE_SYMBOL_H

#include "ingest/wire_read.h"

/* The row's symbol is the map's key. What the object says about it, `symbol` as it was read (p == NULL: no text), goes
 * to *remark where it does not follow from the key. Returns the key. */
struct slice wire_symbol_from_key(const cJSON *object, struct slice symbol, const char *key,
                                  struct wire_remark *remark);

#endif
