#include "assembler/assembler.h"
#include "assembler/document.h"

bool assemble_leaderboard(const struct read_query *query, const struct repo_answer *answer, struct buf *out,
                          struct err *err)
{
    (void)query;
    return document_put_rows(out, "leaderboard", &wire_leader, answer->leaders, answer->leader_count,
                             sizeof *answer->leaders, answer->document, err);
}
