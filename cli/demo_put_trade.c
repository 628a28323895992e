#include "cli/demo_put.h"
#include "cli/demo_text.h"

#include <stdio.h>

static void put_human_time(struct json_writer *w, const char *key, int64_t at_us)
{
    char text[DEMO_HUMAN_TIME_SIZE];
    demo_put_text(w, key, demo_human_time(text, demo_trade_ms(at_us) * 1000));
}

static void put_entry(struct json_writer *w, const struct demo_position *position, int64_t size)
{
    demo_put_money(w, "entry_price", position->entry_price);
    demo_put_millis(w, "entry_time", position->entry_us);
    put_human_time(w, "entry_human_time", position->entry_us);
    demo_put_coins(w, "entry_sz", size);
    demo_put_int(w, "entry_tid", position->entry_tid);
    demo_put_int(w, "entry_oid", position->entry_oid);
    demo_put_flag(w, "entry_crossed", true);
    demo_put_null(w, "entry_liquidation");
    demo_put_money(w, "entry_commission_dollars", position->commission);
    demo_put_money(w, "entry_closed_pnl", -position->commission);
}

static void put_exit(struct json_writer *w, const struct demo_trade *trade, int64_t size)
{
    demo_put_money(w, "exit_price", trade->exit_price);
    demo_put_millis(w, "exit_time", trade->exit_us);
    put_human_time(w, "exit_human_time", trade->exit_us);
    demo_put_coins(w, "exit_sz", size);
    demo_put_int(w, "exit_tid", trade->exit_tid);
    demo_put_int(w, "exit_oid", trade->exit_oid);
    demo_put_flag(w, "exit_crossed", trade->exit_crossed);
    demo_put_null(w, "exit_liquidation");
    demo_put_money(w, "exit_commission_dollars", trade->exit_commission);
    demo_put_money(w, "exit_closed_pnl", trade->gross - trade->exit_commission);
}

void demo_put_trade(struct json_writer *w, const struct demo_trader *trader, const struct demo_trade *trade)
{
    const struct demo_position *position = &trade->position;
    const char *symbol = demo_symbols[trade->symbol].name;
    const char *side = position->quantity > 0 ? "long" : "short";
    int64_t size = position->quantity > 0 ? position->quantity : -position->quantity;
    struct buf text = BUF_INIT;
    json_begin_object(w);
    buf_printf(&text, "%s_%s", trader->id, trade->uuid);
    demo_put_text(w, "id", buf_cstr(&text));
    demo_put_text(w, "model_id", trader->id);
    demo_put_text(w, "symbol", symbol);
    demo_put_text(w, "side", side);
    demo_put_text(w, "trade_type", side);
    buf_clear(&text);
    demo_put_decimal(&text, demo_trade_ms(position->entry_us), 3, 3);
    buf_printf(&text, "_%s_", symbol);
    demo_put_decimal(&text, demo_trade_ms(trade->exit_us), 3, 3);
    buf_printf(&text, "_%s", trader->id);
    demo_put_text(w, "trade_id", buf_cstr(&text));
    demo_put_coins(w, "quantity", position->quantity);
    demo_put_int(w, "leverage", position->leverage);
    demo_put_hundredths(w, "confidence", position->confidence);
    put_entry(w, position, size);
    put_exit(w, trade, size);
    demo_put_exit_plan(w, position);
    demo_put_money(w, "realized_gross_pnl", trade->gross);
    demo_put_money(w, "realized_net_pnl", demo_trade_net(trade));
    demo_put_money(w, "total_commission_dollars", position->commission + trade->exit_commission);
    json_end_object(w);
    buf_free(&text);
}
