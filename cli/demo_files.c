#include "cli/demo_files.h"

#include "base/mem.h"
#include "cli/demo_put.h"
#include "cli/demo_talk.h"
#include "legacy/writer.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* A file under way. Its text goes out whenever a piece of it is whole. */
struct feed {
    struct legacy_writer *writer;
    struct buf text;
    struct json_writer w;
    struct demo_written *written;
    struct err *err;
    bool good;
};

static void feed_flush(struct feed *feed)
{
    feed->written->bytes += feed->text.len;
    feed->good = feed->good && legacy_writer_write(feed->writer, buf_slice(&feed->text), feed->err);
    buf_clear(&feed->text);
}

/* Opens dir/name and begins {"key":[ or, without a key, {. */
static void feed_open(struct feed *feed, const char *dir, const char *name, const char *key,
                      struct demo_written *written, struct err *err)
{
    *feed = (struct feed){.text = BUF_INIT, .written = written, .err = err};
    feed->writer = legacy_writer_open(dir, name, err);
    feed->good = feed->writer != NULL;
    feed->w = json_writer_on(&feed->text);
    json_begin_object(&feed->w);
    if (key) {
        json_key(&feed->w, slice_of(key));
        json_begin_array(&feed->w);
    }
}

/* Ends the object and puts the file in its place. */
static bool feed_close(struct feed *feed)
{
    json_end_object(&feed->w);
    buf_append_char(&feed->text, '\n');
    if (feed->good)
        feed_flush(feed);
    if (feed->good)
        feed->good = legacy_writer_commit(feed->writer, feed->err);
    else
        legacy_writer_abort(feed->writer);
    feed->written->files += feed->good;
    buf_free(&feed->text);
    return feed->good;
}

/* Every request of a capture has its own time. */
static int64_t server_time_ms(const struct demo_sim *sim, int file)
{
    return sim->end_us / 1000 + 1000 + INT64_C(347) * file;
}

static bool take_row(void *arg, struct slice json)
{
    struct feed *feed = arg;
    json_raw(&feed->w, json);
    buf_append_char(&feed->text, '\n');
    feed->written->rows++;
    feed_flush(feed);
    return feed->good;
}

static bool write_account_totals(const char *dir, struct demo_sim *sim, struct demo_written *written, struct err *err)
{
    struct feed feed;
    feed_open(&feed, dir, "account-totals.json", "accountTotals", written, err);
    if (feed.good)
        feed.good = demo_sim_run(sim, take_row, &feed);
    json_end_array(&feed.w);
    demo_put_int(&feed.w, "lastHourlyMarkerRead", sim->options.hours);
    demo_put_int(&feed.w, "serverTime", server_time_ms(sim, 1));
    return feed_close(&feed);
}

static bool write_trades(const char *dir, struct demo_sim *sim, struct demo_written *written, struct err *err)
{
    struct feed feed;
    feed_open(&feed, dir, "trades.json", "trades", written, err);
    for (int64_t i = 0; i < sim->options.models && feed.good; i++) {
        const struct demo_trader *trader = &sim->models[i].trader;
        for (size_t place = 0; place < demo_trader_kept(trader); place++)
            demo_put_trade(&feed.w, trader, demo_trader_kept_at(trader, place));
        written->trades += trader->closed_trades;
        feed_flush(&feed);
    }
    json_end_array(&feed.w);
    demo_put_int(&feed.w, "serverTime", server_time_ms(sim, 2));
    return feed_close(&feed);
}

static bool write_positions(const char *dir, struct demo_sim *sim, struct demo_written *written, struct err *err)
{
    struct feed feed;
    feed_open(&feed, dir, "positions.json", "accountTotals", written, err);
    for (int64_t i = 0; i < sim->options.models; i++) {
        const struct demo_model_state *model = &sim->models[i];
        json_begin_object(&feed.w);
        demo_put_text(&feed.w, "model_id", model->trader.id);
        demo_put_positions(&feed.w, &model->trader, sim->market, model->final_offset);
        json_end_object(&feed.w);
    }
    json_end_array(&feed.w);
    demo_put_int(&feed.w, "serverTime", server_time_ms(sim, 3));
    return feed_close(&feed);
}

static bool write_prices(const char *dir, struct demo_sim *sim, struct demo_written *written, struct err *err)
{
    struct feed feed;
    int64_t now_ms = server_time_ms(sim, 0);
    feed_open(&feed, dir, "crypto-prices.json", NULL, written, err);
    json_key(&feed.w, SLICE("prices"));
    json_begin_object(&feed.w);
    for (size_t i = 0; i < DEMO_SYMBOLS; i++) {
        json_key(&feed.w, slice_of(demo_symbols[i].name));
        json_begin_object(&feed.w);
        demo_put_text(&feed.w, "symbol", demo_symbols[i].name);
        demo_put_money(&feed.w, "price", demo_market_price(sim->market, i, DEMO_SLOT_US));
        demo_put_int(&feed.w, "timestamp", now_ms);
        json_end_object(&feed.w);
    }
    json_end_object(&feed.w);
    demo_put_int(&feed.w, "serverTime", now_ms);
    return feed_close(&feed);
}

struct inception {
    const char *id;
    const char *model_id;
    int64_t at_us;
    int64_t invocations;
};

static int by_inception_id(const void *a, const void *b)
{
    const struct inception *left = a;
    const struct inception *right = b;
    return strcmp(left->id, right->id);
}

static bool write_inceptions(const char *dir, struct demo_sim *sim, struct demo_written *written, struct err *err)
{
    struct feed feed;
    size_t count = (size_t)sim->options.models + 1;
    struct inception *inceptions = mem_calloc(count, sizeof *inceptions);
    for (size_t i = 0; i + 1 < count; i++) {
        const struct demo_model_state *model = &sim->models[i];
        inceptions[i] = (struct inception){model->inception_id, model->trader.id, model->trader.inception_us,
                                           model->trader.invocations};
    }
    inceptions[count - 1] = (struct inception){sim->hold_inception_id, DEMO_BENCHMARK, sim->hold_inception_us, 0};
    qsort(inceptions, count, sizeof *inceptions, by_inception_id);

    feed_open(&feed, dir, "since-inception-values.json", "sinceInceptionValues", written, err);
    for (size_t i = 0; i < count; i++) {
        json_begin_object(&feed.w);
        demo_put_text(&feed.w, "id", inceptions[i].id);
        demo_put_money(&feed.w, "nav_since_inception", DEMO_SEED_MONEY);
        demo_put_seconds(&feed.w, "inception_date", inceptions[i].at_us);
        demo_put_int(&feed.w, "num_invocations", inceptions[i].invocations);
        demo_put_text(&feed.w, "model_id", inceptions[i].model_id);
        json_end_object(&feed.w);
    }
    free(inceptions);
    json_end_array(&feed.w);
    demo_put_int(&feed.w, "serverTime", server_time_ms(sim, 4));
    return feed_close(&feed);
}

struct model_ref {
    struct demo_model_state *model;
};

static int by_model_id(const void *a, const void *b)
{
    const struct model_ref *left = a;
    const struct model_ref *right = b;
    return strcmp(left->model->trader.id, right->model->trader.id);
}

/* To free(). */
static struct model_ref *models_by_id(struct demo_sim *sim)
{
    struct model_ref *sorted = mem_calloc((size_t)sim->options.models, sizeof *sorted);
    for (int64_t i = 0; i < sim->options.models; i++)
        sorted[i].model = &sim->models[i];
    qsort(sorted, (size_t)sim->options.models, sizeof *sorted, by_model_id);
    return sorted;
}

static int64_t to_cents(int64_t micros)
{
    return demo_mul_div(micros, 1, 10000);
}

static void put_leader(struct json_writer *w, const struct demo_model_state *model)
{
    const struct demo_trader *trader = &model->trader;
    const struct demo_tally *tally = &trader->tally;
    int64_t hundredths = demo_mul_div(model->final_equity - DEMO_SEED_MONEY, 10000, DEMO_SEED_MONEY);
    json_begin_object(w);
    demo_put_text(w, "id", trader->id);
    demo_put_int(w, "num_trades", trader->closed_trades);
    demo_put_int(w, "num_wins", tally->winners.net.count);
    demo_put_int(w, "num_losses", tally->losers.net.count);
    demo_put_hundredths(w, "win_dollars", to_cents((int64_t)tally->winners.net.sum));
    demo_put_hundredths(w, "lose_dollars", to_cents((int64_t)tally->losers.net.sum));
    demo_put_number(w, "return_pct", (double)hundredths / 1e4 * 100.0);
    demo_put_hundredths(w, "equity", to_cents(model->final_equity));
    demo_put_number(w, "sharpe", model->final_sharpe);
    json_end_object(w);
}

static bool write_leaderboard(const char *dir, struct demo_sim *sim, struct demo_written *written, struct err *err)
{
    struct feed feed;
    struct model_ref *sorted = models_by_id(sim);
    feed_open(&feed, dir, "leaderboard.json", "leaderboard", written, err);
    for (int64_t i = 0; i < sim->options.models; i++)
        put_leader(&feed.w, sorted[i].model);
    free(sorted);
    json_end_array(&feed.w);
    return feed_close(&feed);
}

static bool write_analytics(const char *dir, struct demo_sim *sim, struct demo_written *written, struct err *err)
{
    struct feed bulk;
    struct feed own;
    struct model_ref *sorted = models_by_id(sim);
    bool good = true;
    feed_open(&bulk, dir, "analytics.json", "analytics", written, err);
    for (int64_t i = 0; i < sim->options.models && bulk.good && good; i++) {
        struct demo_model_state *model = sorted[i].model;
        char name[DEMO_ID_SIZE + 24];
        int64_t now_us = sim->slot_us + model->final_offset;
        (void)snprintf(name, sizeof name, "analytics-%s.json", model->trader.id);
        demo_put_analytics(&bulk.w, model, now_us);
        feed_flush(&bulk);
        /* The captures wrap a model's own file in an array of one element, too. */
        feed_open(&own, dir, name, "analytics", written, err);
        demo_put_analytics(&own.w, model, now_us);
        json_end_array(&own.w);
        good = feed_close(&own);
    }
    free(sorted);
    json_end_array(&bulk.w);
    demo_put_int(&bulk.w, "serverTime", server_time_ms(sim, 5));
    bulk.good = bulk.good && good;
    return feed_close(&bulk);
}

static int newest_cycle_first(const void *a, const void *b)
{
    const struct demo_cycle *left = a;
    const struct demo_cycle *right = b;
    return (left->at_us < right->at_us) - (left->at_us > right->at_us);
}

/* Decisions of all models, newest first; behind them the talks in message shape, of every third model. */
static bool write_conversations(const char *dir, struct demo_sim *sim, struct demo_written *written, struct err *err)
{
    struct feed feed;
    feed_open(&feed, dir, "conversations.json", "conversations", written, err);
    qsort(sim->cycles, sim->cycle_count, sizeof *sim->cycles, newest_cycle_first);
    for (size_t i = 0; i < sim->cycle_count && feed.good; i++) {
        json_raw(&feed.w, buf_slice(&sim->cycles[i].json));
        feed_flush(&feed);
    }
    for (int64_t i = 0; i < sim->options.models; i += 3)
        demo_put_messages(&feed.w, sim, &sim->models[i]);
    json_end_array(&feed.w);
    return feed_close(&feed);
}

static bool is_of_set(const struct demo_sim *sim, const char *name)
{
    for (int64_t i = 0; i < sim->options.models; i++) {
        char own[DEMO_ID_SIZE + 24];
        (void)snprintf(own, sizeof own, "analytics-%s.json", sim->models[i].trader.id);
        if (strcmp(own, name) == 0)
            return true;
    }
    return false;
}

/* A model's file that is left over from another set would be served as if it were of this one. */
static bool prepare_folder(const char *dir, const struct demo_sim *sim, struct err *err)
{
    if (mkdir(dir, 0777) != 0 && errno != EEXIST)
        return err_set_errno(err, errno, "%s: cannot make the folder", dir);
    DIR *folder = opendir(dir);
    if (!folder)
        return err_set_errno(err, errno, "%s: cannot open the folder", dir);
    bool good = true;
    for (struct dirent *entry; good && (entry = readdir(folder));) {
        size_t n = strlen(entry->d_name);
        bool is_analytics =
            strncmp(entry->d_name, "analytics-", 10) == 0 && n > 15 && strcmp(entry->d_name + n - 5, ".json") == 0;
        if (is_analytics && !is_of_set(sim, entry->d_name))
            good = err_set(err, ERR_CONFLICT, "%s/%s is there already and belongs to another set: give an empty folder",
                           dir, entry->d_name);
    }
    (void)closedir(folder);
    return good;
}

bool demo_write_folder(const char *dir, const struct demo_options *options, struct demo_written *written,
                       struct err *err)
{
    static bool (*const writers[])(const char *, struct demo_sim *, struct demo_written *, struct err *) = {
        write_account_totals, write_trades,      write_positions, write_prices,
        write_inceptions,     write_leaderboard, write_analytics, write_conversations,
    };
    struct demo_sim *sim = demo_sim_new(options);
    *written = (struct demo_written){0};
    bool good = prepare_folder(dir, sim, err);
    for (size_t i = 0; i < sizeof writers / sizeof writers[0] && good; i++)
        good = writers[i](dir, sim, written, err);
    demo_sim_free(sim);
    return good;
}
