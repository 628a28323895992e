/* Foreign text for a terminal, a log or a page: nothing in it can steer the terminal or reorder the line, and it is cut
 * to columns, not bytes. */
#ifndef NOF0_CLI_PARITY_TEXT_H
#define NOF0_CLI_PARITY_TEXT_H

#include "base/buf.h"

/* Appends the text with what must not reach a terminal as an escape: \u001b for controls, invisible and direction
 * characters (a surrogate pair beyond U+FFFF, as in JSON), \xff for bytes that are no UTF-8. */
void parity_text_put(struct buf *out, struct slice text);

/* How many columns a text of parity_text_put takes: two for wide characters, none for combining ones. */
size_t parity_text_width(struct slice safe);

/* Appends a text of parity_text_put in at most `columns` columns (at least 1); what is left out at the end, or in the
 * middle, is a "…". */
void parity_text_cut_end(struct buf *out, struct slice safe, size_t columns);
void parity_text_cut_middle(struct buf *out, struct slice safe, size_t columns);

/* Where two texts of parity_text_put begin to differ, in bytes; never inside a character. */
size_t parity_text_common(struct slice a, struct slice b);

#endif
