#include "assembler/assembler.h"
#include "assembler/document.h"

bool assemble_since_inception(const struct read_query *query, const struct repo_answer *answer, struct buf *out,
                              struct err *err)
{
    (void)query;
    return document_put_rows(out, "sinceInceptionValues", &wire_inception, answer->inceptions, answer->inception_count,
                             sizeof *answer->inceptions, answer->document, err);
}
