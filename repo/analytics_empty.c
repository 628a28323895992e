#include "repo/analytics_empty.h"

#include "base/json_write.h"

void analytics_put_empty(struct buf *out, struct slice model_id)
{
    buf_append_str(out, "{\"id\":\"\",\"model_id\":");
    json_put_string(out, model_id);
    buf_append_str(out, ",\"updated_at\":0,\"last_trade_exit_time\":0,\"last_trade_doc_id\":\"\","
                        "\"last_convo_doc_id\":\"\",\"last_convo_timestamp\":0,"
                        "\"fee_pnl_moves_breakdown_table\":{},\"winners_losers_breakdown_table\":{},"
                        "\"longs_shorts_breakdown_table\":{},\"signals_breakdown_table\":{},"
                        "\"invocation_breakdown_table\":{},\"overall_trades_overview_table\":{}}");
}
