/* One row of a config table against one place in a struct: inside the config engine only. */
#ifndef NOF0_BASE_CONFIG_ROW_H
#define NOF0_BASE_CONFIG_ROW_H

#include "base/config.h"

/* Reads the text as the row's type into its place in `into`. A text's place must hold NULL. False with the reason in
 * *what ("is 70000, more than 65535"), which has no key and is one line. */
bool config_row_set(const struct config_row *row, struct slice text, void *into, struct buf *what);

/* Appends text for a fault: printable ASCII and UTF-8 as they are, control characters as '?', cut after 80 bytes. */
void config_put_safely(struct buf *out, struct slice text);

/* Replaces ${NAME} and ${NAME:-default} (taken when NAME is unset or empty) and turns "$${" into "${". False with the
 * reason in *what, which never holds a value. *expanded says whether a variable was named. */
bool config_expand(struct slice text, config_lookup *lookup, void *lookup_arg, struct buf *out, bool *expanded,
                   struct buf *what);

/* Length of the UTF-8 sequence at the start of text and its code point; 0 when it is none. */
size_t config_utf8_next(struct slice text, uint32_t *code_point);

#endif
