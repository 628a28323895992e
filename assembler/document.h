/* What the documents of several endpoints have in common. Private to the assembler. */
#ifndef NOF0_ASSEMBLER_DOCUMENT_H
#define NOF0_ASSEMBLER_DOCUMENT_H

#include "assembler/wire.h"
#include "repo/reads.h"

/* {"<key>":[rows] and what the feed's file said beside its rows, without the closing brace. `rows` is an array of
 * `count` structs of `row_size` bytes that `shape` describes. False as assemble_fn says. */
bool document_put_rows(struct buf *out, const char *key, const struct wire_shape *shape, const void *rows, size_t count,
                       size_t row_size, const struct feed_documents_row *document, struct err *err);

/* The members that stood beside the rows of the feed's file, but not its serverTime, which the server writes itself.
 * `document` may be NULL. */
bool document_put_members(struct json_writer *w, const struct feed_documents_row *document, struct err *err);

/* Opens the wire_detail of a document that may be NULL. */
bool document_open_detail(struct wire_detail *detail, const struct feed_documents_row *document, struct err *err);

/* Ends an assembly: what was appended since `start` goes away when it failed. Returns ok. */
bool document_end(struct buf *out, size_t start, bool ok);

#endif
