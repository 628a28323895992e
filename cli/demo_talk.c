#include "cli/demo_talk.h"

#include "cli/demo_put.h"
#include "cli/demo_text.h"

#include <inttypes.h>
#include <string.h>

static const char *const signal_names[DEMO_SIGNAL_KINDS] = {"buy_to_enter", "sell_to_enter", "close_position", "hold"};

static const char *const entry_reasons[] = {
    "The 4‑hour averages have crossed and the pullback held; risk is small against the target.",
    "Open interest rises with price, funding is calm. I’d rather be early with a tight stop.",
    "RSI(7) left the extreme zone and MACD turns. Reward to risk is better than 1.5.",
    "The range broke on volume. Entry near the retest, stop beyond the range.",
    "Relative strength against BTC for several bars in a row — worth a position of normal size.",
};
static const char *const close_reasons[] = {
    "The condition that would prove me wrong has come true, so I’m out.",
    "Momentum has faded and the plan has no edge left; free the margin.",
    "The move stalled for too long. Taking what is there.",
};
static const char *const openings[] = {
    "Let me go through the book before anything else.",
    "First the open positions, then new ideas.",
    "The account comes first: what did I promise myself in each exit plan?",
    "A short look at the market, then position by position.",
    "Nothing says that I must trade. Let’s see whether anything has changed.",
};
static const char *const winning_thoughts[] = {
    "The right side of its 20‑period EMA, plan intact → hold.",
    "In profit — the stop protects most of it. Hold.",
    "RSI is stretched, still nothing in the plan says leave. Hold.",
    "Going the right way, target not reached. Let it run.",
    "Up, though volume is thin. I keep it for now ✓",
};
static const char *const losing_thoughts[] = {
    "Under water, but the invalidation has not come. Patience.",
    "Noise inside the range; neither stop nor target is near. Hold ✓",
    "A loss on paper. The four‑hour picture hasn’t changed, so I hold.",
    "It hurts a little; moving the stop would hurt more. Hold.",
    "MACD leans against me, but only slightly. Hold.",
};
static const char *const endings[] = {
    "That’s all for this round; over‑trading costs more than waiting.",
    "No other setup is good enough after fees (0.04% each way).",
    "Margin use stays moderate. Writing the JSON now.",
    "Cash is a position too.",
};

void demo_cycle_id(struct buf *out, const struct demo_trader *trader)
{
    buf_printf(out, "%s_", trader->id);
    /* Near the time of the call, but later by what the bookkeeping took. */
    demo_put_decimal(out, trader->invoked_us + 137 + trader->invoked_us % 1900, 6, 6);
}

static void put_decision(struct json_writer *w, struct demo_random *talk, const struct demo_signal *signal)
{
    const struct demo_position *position = &signal->position;
    int64_t size = position->quantity < 0 ? -position->quantity : position->quantity;
    const char *reason = signal->kind == DEMO_HOLD    ? ""
                         : signal->kind == DEMO_CLOSE ? DEMO_PICK(talk, close_reasons)
                                                      : DEMO_PICK(talk, entry_reasons);
    json_key(w, slice_of(demo_symbols[signal->symbol].name));
    json_begin_object(w);
    demo_put_text(w, "coin", demo_symbols[signal->symbol].name);
    demo_put_text(w, "signal", signal_names[signal->kind]);
    demo_put_coins(w, "quantity", size);
    if (position->planned) {
        demo_put_money(w, "profit_target", position->target);
        demo_put_money(w, "stop_loss", position->stop);
        demo_put_text(w, "invalidation_condition", position->condition);
    }
    demo_put_int(w, "leverage", position->leverage);
    demo_put_hundredths(w, "confidence", position->confidence);
    demo_put_money(w, "risk_usd", position->risk);
    demo_put_text(w, "justification", reason);
    json_end_object(w);
}

static bool has_later(const struct demo_trader *trader, size_t place)
{
    for (size_t i = place + 1; i < trader->signal_count; i++)
        if (trader->signals[i].symbol == trader->signals[place].symbol)
            return true;
    return false;
}

/* A coin that was closed and opened again at once has one key only: the last decision stands. */
static void put_decisions(struct json_writer *w, struct demo_random *talk, const struct demo_trader *trader)
{
    json_begin_object(w);
    for (size_t i = 0; i < trader->signal_count; i++)
        if (!has_later(trader, i))
            put_decision(w, talk, &trader->signals[i]);
    json_end_object(w);
}

static const char *think_of(struct demo_random *talk, int64_t profit)
{
    return profit > 0 ? DEMO_PICK(talk, winning_thoughts) : DEMO_PICK(talk, losing_thoughts);
}

static void put_thoughts(struct buf *out, const struct demo_sim *sim, struct demo_model_state *model, int64_t offset_us)
{
    struct demo_trader *trader = &model->trader;
    struct demo_random *talk = &model->talk;
    buf_printf(out, "%s\n\n", DEMO_PICK(talk, openings));
    for (size_t i = 0; i < trader->signal_count; i++) {
        const struct demo_signal *signal = &trader->signals[i];
        int64_t price = demo_market_price(sim->market, signal->symbol, offset_us);
        buf_printf(out, "%zu. **%s** (%s) at ", i + 1, demo_symbols[signal->symbol].name,
                   signal->position.quantity > 0 ? "long" : "short");
        demo_put_price(out, signal->symbol, price);
        buf_append_str(out, ", PnL ≈ ");
        demo_put_decimal(out, demo_unrealized(&signal->position, price), 6, 1);
        buf_printf(out, " USD. %s\n",
                   signal->kind == DEMO_HOLD    ? think_of(talk, demo_unrealized(&signal->position, price))
                   : signal->kind == DEMO_CLOSE ? DEMO_PICK(talk, close_reasons)
                                                : DEMO_PICK(talk, entry_reasons));
    }
    if (trader->signal_count == 0)
        buf_append_str(out, "No position is open, and nothing in the six charts asks for one.\n");
    buf_printf(out, "\n%s", DEMO_PICK(talk, endings));
}

static void put_summary(struct buf *out, const struct demo_sim *sim, const struct demo_model_state *model,
                        int64_t offset_us)
{
    const struct demo_trader *trader = &model->trader;
    int64_t equity = demo_trader_equity(trader, sim->market, offset_us);
    const char *separator = "";
    buf_append_str(out, equity >= DEMO_SEED_MONEY ? "Up " : "Down ");
    demo_put_decimal(out, equity >= DEMO_SEED_MONEY ? equity - DEMO_SEED_MONEY : DEMO_SEED_MONEY - equity, 8, 2);
    buf_append_str(out, "% since the start with ");
    demo_put_decimal(out, demo_trader_free_cash(trader, equity), 6, 2);
    buf_append_str(out, " USD free. ");
    for (size_t i = 0; i < trader->signal_count; i++) {
        static const char *const verbs[DEMO_SIGNAL_KINDS] = {"bought", "sold short", "closed", "kept"};
        const struct demo_signal *signal = &trader->signals[i];
        buf_printf(out, "%sI %s %s", separator, verbs[signal->kind], demo_symbols[signal->symbol].name);
        separator = ", ";
    }
    buf_append_str(out, trader->signal_count ? "." : "I stay in cash.");
}

static void put_answer(struct json_writer *w, struct demo_sim *sim, struct demo_model_state *model, int64_t offset_us)
{
    struct demo_trader *trader = &model->trader;
    struct demo_random wording = model->talk; /* the same words in both places where a terse model repeats itself */
    struct buf text = BUF_INIT;
    json_key(w, SLICE("llm_response"));
    if (trader->failed) {
        json_begin_object(w);
        demo_put_text(w, "failed_json_response_raw_text",
                      demo_random_chance(&model->talk, 500000) ? "" : "I would keep everything as it is {\"BTC\": ");
        json_end_object(w);
    } else {
        put_decisions(w, &model->talk, trader);
    }
    json_key(w, SLICE("cot_trace"));
    if (trader->style.terse && !trader->failed) {
        put_decisions(w, &wording, trader);
    } else {
        put_thoughts(&text, sim, model, offset_us);
        json_string(w, buf_slice(&text));
    }
    buf_clear(&text);
    put_summary(&text, sim, model, offset_us);
    json_key(w, SLICE("cot_trace_summary"));
    json_string(w, buf_slice(&text));
    buf_free(&text);
}

void demo_put_cycle(struct buf *out, struct demo_sim *sim, struct demo_model_state *model, int64_t offset_us)
{
    struct demo_trader *trader = &model->trader;
    struct json_writer w = json_writer_on(out);
    struct buf text = BUF_INIT;
    int64_t at_us = sim->slot_us + offset_us;
    json_begin_object(&w);
    demo_cycle_id(&text, trader);
    demo_put_text(&w, "id", buf_cstr(&text));
    demo_put_text(&w, "model_id", trader->id);
    demo_put_text(&w, "run_id", model->run_id);
    demo_put_int(&w, "cycle_id", trader->invocations);
    demo_put_text(&w, "skill", "swing_trading");
    demo_put_seconds(&w, "timestamp", at_us);
    demo_put_seconds(&w, "inserted_at", at_us + demo_random_between(&model->talk, 1500000, 3500000));
    buf_clear(&text);
    demo_put_prompt(&text, sim, model, offset_us);
    json_key(&w, SLICE("user_prompt"));
    json_string(&w, buf_slice(&text));
    put_answer(&w, sim, model, offset_us);
    json_end_object(&w);
    buf_free(&text);
}

static void put_message(struct json_writer *w, const char *role, struct slice content, int64_t at_s)
{
    json_begin_object(w);
    demo_put_text(w, "role", role);
    json_key(w, SLICE("content"));
    json_string(w, content);
    if (at_s)
        demo_put_int(w, "timestamp", at_s);
    json_end_object(w);
}

static void put_review(struct buf *out, const struct demo_sim *sim, const struct demo_model_state *model)
{
    const struct demo_trader *trader = &model->trader;
    buf_append_str(out, "Where I stand:\n");
    for (size_t i = 0; i < DEMO_SYMBOLS; i++) {
        const struct demo_position *position = &trader->positions[i];
        if (!position->open)
            continue;
        buf_printf(out, "\n%s %s\n- Entry: ", demo_symbols[i].name, position->quantity > 0 ? "long" : "short");
        demo_put_price(out, i, position->entry_price);
        buf_append_str(out, "\n- Now: ");
        demo_put_price(out, i, demo_market_price(sim->market, i, model->final_offset));
        if (position->planned) {
            buf_append_str(out, "\n- Stop–target: ");
            demo_put_price(out, i, position->stop);
            buf_append_str(out, "–");
            demo_put_price(out, i, position->target);
        }
        buf_append_str(out, "\n- Confidence: ");
        demo_put_decimal(out, position->confidence, 0, 0);
        buf_append_str(out, "%\n");
    }
    buf_append_str(out, "\n");
    put_summary(out, sim, model, model->final_offset);
}

void demo_put_messages(struct json_writer *w, struct demo_sim *sim, struct demo_model_state *model)
{
    static const char *const questions[] = {
        "Walk me through your open positions. Which one worries you most?",
        "What is in the book, and what would make you leave it?",
        "How is the account doing, and what comes next?",
    };
    static const char *const follow_ups[] = {
        "And the fees? You’ve traded quite a bit.",
        "Would you take the same trades again?",
        "Which coin has the best chart right now?",
    };
    struct demo_trader *trader = &model->trader;
    struct demo_random *talk = &model->talk;
    struct buf text = BUF_INIT;
    int64_t at_s = sim->end_us / 1000000 - demo_random_between(talk, 1200, 3000);
    bool dated = !demo_random_chance(talk, 250000);
    json_begin_object(w);
    demo_put_text(w, "model_id", trader->id);
    json_key(w, SLICE("messages"));
    json_begin_array(w);
    put_message(w, "system", SLICE("You manage a small account of crypto perpetuals on your own. Be brief and honest."),
                dated ? at_s : 0);
    put_message(w, "user", slice_of(DEMO_PICK(talk, questions)), dated ? at_s + 60 : 0);
    put_review(&text, sim, model);
    put_message(w, "assistant", buf_slice(&text), dated ? at_s + 75 : 0);
    put_message(w, "user", slice_of(DEMO_PICK(talk, follow_ups)), dated ? at_s + 300 : 0);
    buf_clear(&text);
    buf_printf(&text, "So far %" PRId64 " trades are closed, and ", trader->closed_trades);
    demo_put_decimal(&text, (int64_t)trader->tally.commission.sum, 6, 2);
    buf_printf(&text, " USD went to fees. %s", DEMO_PICK(talk, endings));
    put_message(w, "assistant", buf_slice(&text), dated ? at_s + 311 : 0);
    json_end_array(w);
    json_end_object(w);
    buf_free(&text);
}
