#include "server/outbox_threads.h"

#include "base/clock.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>

struct outbox_threads {
    struct outbox_options options;
    struct outbox_consumer *consumers[OUTBOX_READER_COUNT]; /* NULL: not asked for */
};

bool outbox_is_on(const struct settings *settings)
{
    return settings->outbox_enabled && settings->postgres_dsn[0] && settings->postgres_prepared_statements;
}

enum flag outbox_dual_write_flag(enum cache_feed feed)
{
    static const char *const names[CACHE_FEED_COUNT] = {
#define FEED(name, class_) [CACHE_FEED_##name] = "dual_write." #name,
#include "cache/feeds.def"
#undef FEED
    };
    return flag_find(slice_of(names[feed]));
}

bool outbox_options_of(const struct settings *settings, const atomic_uint *dual_write, struct outbox_options *options,
                       struct err *err)
{
    *options = (struct outbox_options){
        .postgres_dsn = settings->postgres_dsn,
        .redis_url = settings->redis_url,
        .redis_connect_timeout_ms = settings->redis_connect_timeout_ms,
        .redis_command_timeout_ms = settings->redis_command_timeout_ms,
        .prices_provider = settings->prices_provider,
        .stream_length = settings->outbox_stream_length,
        .keep_s = settings->outbox_keep_s,
        .refresh_views_ms = settings->outbox_refresh_views_ms,
        .legacy_dir = settings->legacy_dir,
        .legacy_write_delay_ms = settings->legacy_write_delay_ms,
        .dual_write = dual_write,
    };
    return settings_cache_space(settings, &options->space, err);
}

bool outbox_differs(const struct settings *a, const struct settings *b)
{
    return outbox_is_on(a) != outbox_is_on(b) || strcmp(a->postgres_dsn, b->postgres_dsn) != 0 ||
           strcmp(a->redis_url, b->redis_url) != 0 || strcmp(a->redis_prefix, b->redis_prefix) != 0 ||
           strcmp(a->prices_provider, b->prices_provider) != 0 || strcmp(a->legacy_dir, b->legacy_dir) != 0 ||
           a->redis_connect_timeout_ms != b->redis_connect_timeout_ms ||
           a->redis_command_timeout_ms != b->redis_command_timeout_ms || a->ttl_short_s != b->ttl_short_s ||
           a->ttl_medium_s != b->ttl_medium_s || a->ttl_long_s != b->ttl_long_s ||
           a->outbox_stream_length != b->outbox_stream_length || a->outbox_keep_s != b->outbox_keep_s ||
           a->outbox_refresh_views_ms != b->outbox_refresh_views_ms ||
           a->legacy_write_delay_ms != b->legacy_write_delay_ms;
}

struct outbox_threads *outbox_threads_start(const struct settings *settings, const atomic_uint *dual_write,
                                            struct outbox_board *board, void (*on_ended)(void *arg), void *arg,
                                            struct err *err)
{
    struct outbox_threads *threads = mem_zalloc(sizeof *threads);
    bool good = outbox_options_of(settings, dual_write, &threads->options, err);
    for (unsigned i = 0; good && i < OUTBOX_READER_COUNT; i++) {
        if (!outbox_reader_wanted(&threads->options, (enum outbox_reader)i))
            continue;
        const struct outbox_start start = {.options = &threads->options,
                                           .reader = (enum outbox_reader)i,
                                           .numbers = &board->readers[i],
                                           .until = -1,
                                           .on_ended = on_ended,
                                           .arg = arg};
        threads->consumers[i] = outbox_consumer_start(&start, err);
        good = threads->consumers[i] != NULL;
    }
    if (good)
        return threads;
    outbox_threads_stop(threads);
    outbox_threads_free(threads);
    return NULL;
}

void outbox_threads_wake(struct outbox_threads *threads)
{
    for (unsigned i = 0; threads && i < OUTBOX_READER_COUNT; i++)
        if (threads->consumers[i])
            outbox_consumer_wake(threads->consumers[i]);
}

void outbox_threads_stop(struct outbox_threads *threads)
{
    for (unsigned i = 0; threads && i < OUTBOX_READER_COUNT; i++)
        if (threads->consumers[i])
            outbox_consumer_stop(threads->consumers[i]);
}

bool outbox_threads_ended(const struct outbox_threads *threads)
{
    for (unsigned i = 0; threads && i < OUTBOX_READER_COUNT; i++)
        if (threads->consumers[i] && !outbox_consumer_ended(threads->consumers[i]))
            return false;
    return true;
}

void outbox_threads_free(struct outbox_threads *threads)
{
    if (!threads)
        return;
    for (unsigned i = 0; i < OUTBOX_READER_COUNT; i++)
        outbox_consumer_free(threads->consumers[i]);
    free(threads);
}

/* --- /metrics --- */

static double lag_seconds(const struct outbox_numbers *numbers)
{
    if (atomic_load(&numbers->lag_rows) == 0)
        return 0;
    /* Nobody may have been able to measure since. */
    int64_t since_ms = clock_mono_ms() - atomic_load(&numbers->measured_mono_ms);
    return (double)atomic_load(&numbers->lag_us) / 1e6 + (double)since_ms / 1000;
}

static void put_number(struct buf *out, const struct outbox_numbers *numbers, unsigned metric)
{
    switch (metric) {
    case 0:
        buf_printf(out, "%" PRId64, (int64_t)atomic_load(&numbers->lag_rows));
        break;
    case 1:
        buf_printf(out, "%.3f", lag_seconds(numbers));
        break;
    case 2:
        buf_printf(out, "%d", atomic_load(&numbers->leading));
        break;
    case 3:
        buf_printf(out, "%" PRIu64, (uint64_t)atomic_load(&numbers->applied));
        break;
    case 4:
        buf_printf(out, "%" PRIu64, (uint64_t)atomic_load(&numbers->failures));
        break;
    default:
        buf_printf(out, "%" PRId64, (int64_t)atomic_load(&numbers->dead));
        break;
    }
}

void outbox_board_print(const struct outbox_board *board, struct buf *out)
{
    static const struct {
        const char *name;
        const char *type;
        const char *help;
    } metrics[] = {
        {"nof0_outbox_lag_rows", "gauge", "Rows of the outbox that the reader has yet to apply, in any instance."},
        {"nof0_outbox_lag_seconds", "gauge", "Age of the oldest of them."},
        {"nof0_outbox_leader", "gauge", "1 while this instance applies them."},
        {"nof0_outbox_applied_total", "counter", "Rows applied here."},
        {"nof0_outbox_failures_total", "counter", "Attempts here that failed."},
        {"nof0_outbox_dead", "gauge", "The reader's dead letters."},
    };
    for (unsigned m = 0; m < sizeof metrics / sizeof *metrics; m++) {
        buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", metrics[m].name, metrics[m].help, metrics[m].name,
                   metrics[m].type);
        for (unsigned i = 0; i < OUTBOX_READER_COUNT; i++) {
            if (atomic_load(&board->readers[i].running) == 0)
                continue;
            buf_printf(out, "%s{consumer=\"%s\"} ", metrics[m].name, outbox_reader_name((enum outbox_reader)i));
            put_number(out, &board->readers[i], m);
            buf_append_char(out, '\n');
        }
    }
}
