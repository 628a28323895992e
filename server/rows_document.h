/* The making of a document from rows, on the loop or, when it is large, on an offload thread. */
#ifndef NOF0_SERVER_ROWS_DOCUMENT_H
#define NOF0_SERVER_ROWS_DOCUMENT_H

#include "server/document.h"
#include "server/endpoints.h"

/* Assembles the rows of `answer` and releases it. NULL with *err (ERR_INTERNAL) when a row is corrupt. On any thread.
 */
struct document *rows_document(const struct endpoint *endpoint, const struct read_query *query,
                               struct repo_answer *answer, struct err *err);

#endif
