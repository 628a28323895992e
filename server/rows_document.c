#include "server/rows_document.h"

#include <stdlib.h>

struct document *rows_document(const struct endpoint *endpoint, const struct read_query *query,
                               struct repo_answer *answer, struct err *err)
{
    struct buf json = BUF_INIT;
    bool good = endpoint->assemble(query, answer, &json, err);
    answer->release(answer);
    if (!good) {
        buf_free(&json);
        return NULL;
    }
    size_t n = 0;
    char *bytes = buf_take(&json, &n);
    struct document_tail tail = {endpoint->time == ENDPOINT_TIME_NONE ? DOCUMENT_TAIL_END : DOCUMENT_TAIL_LIVE, 0};
    return document_new((struct document_body){{bytes, n}, free, bytes}, tail);
}
