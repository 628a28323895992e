#include "cli/demo_sim.h"

#include "base/mem.h"
#include "cli/demo_talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SECOND_US INT64_C(1000000)
#define HOUR_US (3600 * SECOND_US)
#define START_US (INT64_C(1760738400) * SECOND_US) /* 2025-10-17 22:00 UTC */
/* Models join one after another, the benchmark last; the run ends when the latest of them is in its last hour and the
 * earliest still is. */
#define LAST_INCEPTION_US (2457 * SECOND_US)
#define END_SLOTS 19
#define NEWEST_CYCLES 100
#define CYCLES_PER_MODEL_MOST 24

enum { SKIPPED_PPM = 4000 };

/* The row of an hour is written near its end. */
static int64_t row_time(struct demo_random *random, int64_t inception_us, int64_t hour)
{
    return inception_us + hour * HOUR_US + 3480 * SECOND_US + demo_random_between(random, 0, 110 * SECOND_US);
}

static void start_models(struct demo_sim *sim)
{
    const struct demo_options *options = &sim->options;
    int64_t weights = 0;
    for (int64_t i = 0; i < options->models; i++) {
        struct demo_model_state *model = &sim->models[i];
        struct demo_random draw;
        struct demo_style style;
        char id[DEMO_ID_SIZE];
        demo_random_seed(&draw, options->seed, 1000000 + (uint64_t)i);
        demo_random_seed(&model->talk, options->seed, 2000000 + (uint64_t)i);
        demo_model((size_t)i, &draw, id, &style);
        demo_trader_start(&model->trader, (size_t)i, id, &style, options->seed);
        model->returns.ppb = mem_calloc(DEMO_RETURNS, sizeof *model->returns.ppb);
        model->returns.last_equity = DEMO_SEED_MONEY;
        weights += style.weight;
    }
    int64_t weight_so_far = 0;
    int64_t trades_so_far = 0;
    for (int64_t i = 0; i < options->models; i++) {
        struct demo_model_state *model = &sim->models[i];
        struct demo_trader *trader = &model->trader;
        weight_so_far += trader->style.weight;
        int64_t through = demo_mul_div(options->trades, weight_so_far, weights);
        int64_t inception = START_US + 9 * SECOND_US + demo_mul_div(2300 * SECOND_US, i, options->models) +
                            demo_random_between(&model->talk, 0, SECOND_US);
        demo_trader_plan(trader, inception, sim->slots, through - trades_so_far);
        trades_so_far = through;
        model->row_us = row_time(&model->talk, inception, 0);
        demo_random_uuid(&model->talk, model->inception_id);
        time_t joined = (time_t)(inception / SECOND_US) - demo_random_between(&model->talk, 100, 90000);
        struct tm utc;
        (void)strftime(model->run_id, sizeof model->run_id, "%Y%m%d%H%M%S", gmtime_r(&joined, &utc));
    }
}

static void start_benchmark(struct demo_sim *sim)
{
    struct demo_random random;
    demo_random_seed(&random, sim->options.seed, 3000000);
    sim->hold_inception_us = START_US + LAST_INCEPTION_US + demo_random_between(&random, 1, SECOND_US - 1);
    sim->hold_row_us = row_time(&random, sim->hold_inception_us, 0);
    demo_random_uuid(&random, sim->hold_inception_id);
}

struct demo_sim *demo_sim_new(const struct demo_options *options)
{
    struct demo_sim *sim = mem_zalloc(sizeof *sim);
    sim->options = *options;
    sim->slots = options->hours * DEMO_SLOTS_PER_HOUR + END_SLOTS;
    sim->end_us = START_US + sim->slots * DEMO_SLOT_US;
    sim->market = demo_market_new(options->seed);
    sim->models = mem_calloc((size_t)options->models, sizeof *sim->models);
    sim->cycles_per_model = NEWEST_CYCLES / options->models;
    if (sim->cycles_per_model > CYCLES_PER_MODEL_MOST)
        sim->cycles_per_model = CYCLES_PER_MODEL_MOST;
    if (sim->cycles_per_model < 1)
        sim->cycles_per_model = 1;
    start_models(sim);
    start_benchmark(sim);
    return sim;
}

void demo_sim_free(struct demo_sim *sim)
{
    if (!sim)
        return;
    for (int64_t i = 0; i < sim->options.models; i++) {
        demo_trader_release(&sim->models[i].trader);
        free(sim->models[i].returns.ppb);
    }
    for (size_t i = 0; i < sim->cycle_count; i++)
        buf_free(&sim->cycles[i].json);
    free(sim->cycles);
    free(sim->models);
    demo_market_free(sim->market);
    free(sim);
}

/* Rows of one slot, which models give in any order. */
struct slot_row {
    int64_t at_us;
    size_t begin, end;
};

struct slot_rows {
    struct buf text;
    struct slot_row *rows;
    size_t count;
};

static void begin_row(struct slot_rows *rows, int64_t at_us)
{
    rows->rows[rows->count++] = (struct slot_row){at_us, rows->text.len, 0};
}

static void end_row(struct slot_rows *rows)
{
    rows->rows[rows->count - 1].end = rows->text.len;
}

static int row_order(const void *a, const void *b)
{
    const struct slot_row *left = a;
    const struct slot_row *right = b;
    if (left->at_us != right->at_us)
        return left->at_us < right->at_us ? -1 : 1;
    return (left->begin > right->begin) - (left->begin < right->begin);
}

static bool hand_out(struct slot_rows *rows, demo_row_fn *take_row, void *arg)
{
    bool good = true;
    qsort(rows->rows, rows->count, sizeof *rows->rows, row_order);
    for (size_t i = 0; i < rows->count && good; i++) {
        const struct slot_row *row = &rows->rows[i];
        good = take_row(arg, (struct slice){rows->text.data + row->begin, row->end - row->begin});
    }
    rows->count = 0;
    buf_clear(&rows->text);
    return good;
}

enum event_kind { EVENT_EXIT, EVENT_INVOKE, EVENT_ROW };
struct event {
    int64_t offset;
    enum event_kind kind;
    size_t symbol;
};
struct events {
    struct event of[DEMO_SYMBOLS + 2];
    size_t count;
};

static void add_event(struct events *events, int64_t offset, enum event_kind kind, size_t symbol)
{
    size_t at = events->count++;
    for (; at > 0 && events->of[at - 1].offset > offset; at--)
        events->of[at] = events->of[at - 1];
    events->of[at] = (struct event){offset, kind, symbol};
}

static void keep_cycle(struct demo_sim *sim, struct demo_model_state *model, int64_t offset_us)
{
    sim->cycles = mem_realloc(sim->cycles, (sim->cycle_count + 1) * sizeof *sim->cycles);
    struct demo_cycle *cycle = &sim->cycles[sim->cycle_count++];
    *cycle = (struct demo_cycle){sim->slot_us + offset_us, BUF_INIT};
    demo_put_cycle(&cycle->json, sim, model, offset_us);
}

static void write_row(struct demo_sim *sim, struct demo_model_state *model, int64_t offset_us, struct slot_rows *rows)
{
    begin_row(rows, sim->slot_us + offset_us);
    demo_put_account_row(&rows->text, sim, model, offset_us);
    end_row(rows);
    model->hour++;
    model->row_us = row_time(&model->talk, model->trader.inception_us, model->hour);
}

/* All that one model sees, does and reports in this slot, in the order of time. */
static void run_model(struct demo_sim *sim, struct demo_model_state *model, int64_t slot, struct slot_rows *rows)
{
    struct demo_trader *trader = &model->trader;
    bool last = slot == sim->slots - 1;
    trader->slots_left--;
    if (sim->slot_us < trader->inception_us)
        return;
    struct events events = {.count = 0};
    for (size_t i = 0; i < DEMO_SYMBOLS; i++) {
        int64_t offset = demo_trader_exit_offset(trader, sim->market, i);
        if (offset >= 0)
            add_event(&events, offset, EVENT_EXIT, i);
    }
    if (last || !demo_random_chance(&trader->random, SKIPPED_PPM))
        add_event(&events, demo_random_between(&trader->random, 60 * SECOND_US, 120 * SECOND_US), EVENT_INVOKE, 0);
    if (last)
        add_event(&events, sim->end_offset + demo_random_between(&model->talk, 0, 9 * SECOND_US), EVENT_ROW, 0);
    else if (model->hour < sim->options.hours && model->row_us < sim->slot_us + DEMO_SLOT_US)
        add_event(&events, model->row_us - sim->slot_us, EVENT_ROW, 0);
    for (size_t i = 0; i < events.count; i++) {
        const struct event *event = &events.of[i];
        const struct demo_position *position = &trader->positions[event->symbol];
        if (event->kind == EVENT_INVOKE) {
            demo_trader_invoke(trader, sim->market, sim->slot_us, event->offset);
            if (slot >= sim->slots - sim->cycles_per_model)
                keep_cycle(sim, model, event->offset);
        } else if (event->kind == EVENT_ROW) {
            write_row(sim, model, event->offset, rows);
            if (last)
                return; /* what the last row says must stay so */
        } else if (position->open && position->entry_us < sim->slot_us) {
            demo_trader_exit(trader, sim->market, event->symbol, sim->slot_us, event->offset);
        }
    }
}

static void buy_and_hold(struct demo_sim *sim, int64_t offset_us)
{
    int64_t price = demo_market_price(sim->market, 0, offset_us);
    sim->hold = (struct demo_position){.open = true,
                                       .quantity = demo_mul_div(DEMO_SEED_MONEY, DEMO_SIZE_ONE, price),
                                       .entry_price = price,
                                       .leverage = 1,
                                       .confidence = 100,
                                       .entry_us = sim->hold_inception_us,
                                       .margin = DEMO_SEED_MONEY,
                                       .entry_oid = -1,
                                       .target_oid = -1,
                                       .stop_oid = -1};
}

static void run_benchmark(struct demo_sim *sim, bool last, struct slot_rows *rows)
{
    int64_t slot_end = sim->slot_us + DEMO_SLOT_US;
    if (!sim->hold.open && sim->hold_inception_us < slot_end)
        buy_and_hold(sim, sim->hold_inception_us - sim->slot_us);
    int64_t offset = last ? sim->end_offset + 8613207 : sim->hold_row_us - sim->slot_us;
    if (!last && (sim->hold_hour >= sim->options.hours || sim->hold_row_us >= slot_end))
        return;
    begin_row(rows, sim->slot_us + offset);
    demo_put_benchmark_row(&rows->text, sim, offset);
    end_row(rows);
    sim->hold_hour++;
    /* Its rows come a little less raggedly than the models': nobody has to wait for an answer. */
    sim->hold_row_us =
        sim->hold_inception_us + sim->hold_hour * HOUR_US + 3553 * SECOND_US + sim->hold_hour % 40 * 211573;
}

bool demo_sim_run(struct demo_sim *sim, demo_row_fn *take_row, void *arg)
{
    struct slot_rows rows = {.rows = mem_calloc((size_t)sim->options.models + 1, sizeof *rows.rows)};
    bool good = true;
    sim->end_offset = 170 * SECOND_US;
    for (int64_t slot = 0; slot < sim->slots && good; slot++) {
        bool last = slot == sim->slots - 1;
        sim->slot_us = START_US + slot * DEMO_SLOT_US;
        if (slot > 0)
            demo_market_step(sim->market);
        for (int64_t i = 0; i < sim->options.models; i++)
            run_model(sim, &sim->models[i], slot, &rows);
        run_benchmark(sim, last, &rows);
        good = hand_out(&rows, take_row, arg);
    }
    buf_free(&rows.text);
    free(rows.rows);
    return good;
}
