#include "assembler/assembler.h"
#include "assembler/document.h"

bool assemble_trades(const struct read_query *query, const struct repo_answer *answer, struct buf *out, struct err *err)
{
    (void)query;
    return document_put_rows(out, "trades", &wire_trade, answer->trades, answer->trade_count, sizeof *answer->trades,
                             answer->document, err);
}
