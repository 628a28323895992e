#include "cli/cmd_cache.h"

#include "base/clock.h"
#include "base/json_write.h"
#include "cache/redis_blocking.h"
#include "ingest/redis_put.h"
#include "ingest/redis_rebuild.h"
#include "ingest/redis_verify.h"
#include "ingest/redis_walk.h"
#include "server/settings.h"

#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: nof0ctl cache warm   [--only KEY]... [--quiet]\n"
    "       nof0ctl cache verify [--only KEY]... [--strict] [--quiet]\n"
    "       nof0ctl cache stats  [--only KEY]... [--json]\n"
    "       nof0ctl cache drop   [--only KEY]... [--quiet]\n"
    "\n"
    "Works on the Redis of redis.url under redis.prefix; warm and verify read the database of postgres.dsn, all of it\n"
    "as it is at one moment.\n"
    "\n"
    "  warm    writes what Postgres has under each name; leaves alone names for which it has nothing, and streams,\n"
    "          locks and guards, which cannot be made again\n"
    "  verify  makes every value again and compares it with what Redis holds, by meaning; prints each difference. A\n"
    "          name that Redis lacks is counted, and is a difference only with --strict\n"
    "  stats   names, memory and TTLs of each entry of the registry, and the server's hit ratio\n"
    "  drop    deletes the registry's names that a warm or a read makes again, and nothing else\n"
    "\n"
    "  --only KEY  only this entry of the registry: its name or its pattern, as nof0ctl keys prints them. With drop "
    "and\n"
    "              stats also one that cannot be made again\n"
    "  --json      one JSON document\n"
    "  --quiet     say only what is wrong\n"
    "\n"
    "Exit codes: 0 fine, 1 verify found differences, 2 could not run.\n";

struct request {
    const char *action;
    bool only;
    bool named[CACHE_KEY_COUNT]; /* by --only */
    bool strict;
    bool json;
    bool quiet;
    const struct settings *settings;
    struct cache_space space;
    struct redisContext *link;
};

static bool is(const struct request *request, const char *action)
{
    return strcmp(request->action, action) == 0;
}

/* Reads one name or pattern of --only. */
static bool take_only(struct request *request, const char *text)
{
    for (size_t i = 0; i < CACHE_KEY_COUNT; i++) {
        const struct cache_key_row *row = &cache_key_rows[i];
        if (strcmp(row->name, text) != 0 && strcmp(row->pattern, text) != 0)
            continue;
        bool made = redis_rebuild_knows((enum cache_key_id)i);
        if ((is(request, "warm") || is(request, "verify")) && !made) {
            (void)cli_fail("cache", "%s cannot be made from Postgres", row->name);
            return false;
        }
        request->only = request->named[i] = true;
        return true;
    }
    (void)cli_fail("cache", "the registry has no \"%s\"; nof0ctl keys lists what it has", text);
    return false;
}

/* False after saying what is wrong. */
static bool parse(struct request *request, int argc, char **argv)
{
    static const char *const actions[] = {"warm", "verify", "stats", "drop"};
    bool known = false;
    for (size_t i = 0; argc > 1 && i < sizeof actions / sizeof actions[0]; i++)
        known = known || strcmp(argv[1], actions[i]) == 0;
    if (!known) {
        (void)cli_fail("cache",
                       argc > 1 ? "there is no action \"%s\"; nof0ctl cache --help"
                                : "say what to do: warm, verify, stats or drop%s",
                       argc > 1 ? argv[1] : "");
        return false;
    }
    request->action = argv[1];
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--only") == 0 && i + 1 < argc) {
            if (!take_only(request, argv[++i]))
                return false;
        } else if (strcmp(argv[i], "--strict") == 0 && is(request, "verify")) {
            request->strict = true;
        } else if (strcmp(argv[i], "--json") == 0 && is(request, "stats")) {
            request->json = true;
        } else if (strcmp(argv[i], "--quiet") == 0 && !is(request, "stats")) {
            request->quiet = true;
        } else {
            (void)cli_fail("cache", "\"%s\" is not understood, or lacks its value; nof0ctl cache --help", argv[i]);
            return false;
        }
    }
    return true;
}

/* What --only says, else everything that `all` takes. */
static void choose(const struct request *request, bool wanted[], bool (*all)(enum cache_key_id))
{
    for (size_t i = 0; i < CACHE_KEY_COUNT; i++)
        wanted[i] = request->only ? request->named[i] : all((enum cache_key_id)i);
}

/* Names and fields are any bytes; what a terminal might obey, and what is not ASCII, goes out as \xNN. */
static void put_plain(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c < ' ' || c >= 0x7f || c == '\\')
            buf_printf(out, "\\x%02x", c);
        else
            buf_append_char(out, (char)c);
    }
}

static void print_difference(void *arg, const struct cache_key *key, struct slice where, const char *what)
{
    (void)arg;
    struct buf line = BUF_INIT;
    put_plain(&line, cache_key_text(key));
    if (where.n) {
        buf_append_char(&line, ' ');
        put_plain(&line, where);
    }
    buf_append_str(&line, ": ");
    put_plain(&line, slice_of(what));
    buf_append_char(&line, '\n');
    (void)fwrite(line.data, 1, line.len, stdout);
    buf_free(&line);
}

/* Runs the rebuild of everything wanted over one snapshot of Postgres. */
static bool rebuild(const struct request *request, const bool wanted[], redis_value_fn *take, void *arg,
                    struct err *err)
{
    struct session *session = session_open(request->settings->postgres_dsn, err);
    if (!session)
        return err_wrap(err, "Postgres");
    struct redis_rebuild work = {.session = session,
                                 .space = &request->space,
                                 .prices_provider = request->settings->prices_provider,
                                 .take = take,
                                 .arg = arg};
    memcpy(work.wanted, wanted, sizeof work.wanted);
    bool good = session_begin_snapshot(session, err) && redis_rebuild_run(&work, err) && session_commit(session, err);
    session_close(session);
    return good;
}

static int warm(const struct request *request)
{
    struct err err = ERR_INIT;
    struct redis_put put = {.link = request->link, .space = &request->space};
    bool wanted[CACHE_KEY_COUNT];
    int64_t began = clock_mono_ms();
    choose(request, wanted, redis_rebuild_knows);
    bool good = rebuild(request, wanted, redis_put_take, &put, &err) && redis_put_flush(&put, &err);
    redis_put_free(&put);
    if (!good)
        return cli_fail("cache", "%s", err.text);
    uint64_t all = 0;
    for (size_t i = 0; i < CACHE_KEY_COUNT; i++) {
        all += put.written[i];
        if (!request->quiet && wanted[i])
            printf("%-20s %8" PRIu64 "\n", cache_key_rows[i].name, put.written[i]);
    }
    if (!request->quiet) {
        printf("%" PRIu64 " names written in %" PRId64 " ms, %" PRIu64 " bytes", all, clock_mono_ms() - began,
               put.bytes);
        if (put.disabled)
            printf("; %" PRIu64 " left out: their TTL class is disabled", put.disabled);
        puts("");
    }
    return CLI_OK;
}

static int verify(const struct request *request)
{
    struct err err = ERR_INIT;
    bool wanted[CACHE_KEY_COUNT];
    choose(request, wanted, redis_rebuild_knows);
    struct redis_verify *work = redis_verify_new(request->link, &request->space, print_difference, NULL);
    bool good = rebuild(request, wanted, redis_verify_take, work, &err) && redis_verify_extra(work, wanted, &err);
    struct redis_verify_counts counts = redis_verify_counts(work);
    redis_verify_free(work);
    if (!good)
        return cli_fail("cache", "%s", err.text);
    if (!request->quiet)
        printf("%" PRIu64 " values: %" PRIu64 " same, %" PRIu64 " different, %" PRIu64 " missing in Redis; %" PRIu64
               " in Redis alone\n",
               counts.values, counts.same, counts.different, counts.missing, counts.extra);
    bool found = counts.different || counts.extra || (request->strict && counts.missing);
    return found ? CLI_FOUND : CLI_OK;
}

/* What a reader or a warm brings back. */
static bool comes_back(enum cache_key_id id)
{
    return redis_rebuild_knows(id) || id == CACHE_KEY_document;
}

static int drop(const struct request *request)
{
    struct err err = ERR_INIT;
    bool wanted[CACHE_KEY_COUNT];
    uint64_t dropped[CACHE_KEY_COUNT];
    uint64_t all = 0;
    choose(request, wanted, comes_back);
    if (!redis_drop(request->link, &request->space, wanted, dropped, &err))
        return cli_fail("cache", "%s", err.text);
    for (size_t i = 0; i < CACHE_KEY_COUNT; i++) {
        all += dropped[i];
        if (!request->quiet && dropped[i])
            printf("%-20s %8" PRIu64 "\n", cache_key_rows[i].name, dropped[i]);
    }
    if (!request->quiet)
        printf("%" PRIu64 " names dropped\n", all);
    return CLI_OK;
}

static bool is_key(enum cache_key_id id)
{
    return cache_key_rows[id].type != CACHE_TYPE_CHANNEL;
}

static double hit_ratio(const struct redis_stats *stats)
{
    uint64_t asked = stats->hits + stats->misses;
    return asked ? (double)stats->hits / (double)asked : 0;
}

static void json_count(struct json_writer *w, const char *key, uint64_t count)
{
    json_key(w, slice_of(key));
    json_i64(w, (int64_t)count);
}

static void json_ttl(struct json_writer *w, const char *key, int64_t ttl_ms)
{
    json_key(w, slice_of(key));
    if (ttl_ms < 0)
        json_null(w);
    else
        json_i64(w, ttl_ms);
}

static void put_stats_json(struct buf *out, const struct redis_stats *stats, const bool wanted[])
{
    struct json_writer w = json_writer_on(out);
    json_begin_object(&w);
    json_count(&w, "keyspace_hits", stats->hits);
    json_count(&w, "keyspace_misses", stats->misses);
    json_key(&w, SLICE("hit_ratio"));
    if (stats->hits + stats->misses)
        json_double(&w, hit_ratio(stats));
    else
        json_null(&w);
    json_count(&w, "used_memory", stats->used_memory);
    json_count(&w, "evicted_keys", stats->evicted);
    json_count(&w, "expired_keys", stats->expired);
    json_key(&w, SLICE("entries"));
    json_begin_array(&w);
    for (size_t i = 0; i < CACHE_KEY_COUNT; i++) {
        const struct redis_stats_row *row = &stats->rows[i];
        if (!wanted[i])
            continue;
        json_begin_object(&w);
        json_key(&w, SLICE("name"));
        json_string(&w, slice_of(cache_key_rows[i].name));
        json_count(&w, "keys", row->keys);
        json_count(&w, "bytes", redis_stats_bytes(row));
        json_count(&w, "measured", row->measured);
        json_count(&w, "without_ttl", row->lasting);
        json_ttl(&w, "ttl_least_ms", row->ttl_least_ms);
        json_ttl(&w, "ttl_most_ms", row->ttl_most_ms);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    buf_append_char(out, '\n');
}

static void put_stats_table(struct buf *out, const struct redis_stats *stats, const bool wanted[])
{
    buf_printf(out, "%-20s %10s %14s  %s\n", "entry", "names", "bytes", "TTL left, s");
    for (size_t i = 0; i < CACHE_KEY_COUNT; i++) {
        const struct redis_stats_row *row = &stats->rows[i];
        if (!wanted[i])
            continue;
        buf_printf(out, "%-20s %10" PRIu64 " %14" PRIu64 "  ", cache_key_rows[i].name, row->keys,
                   redis_stats_bytes(row));
        if (row->ttl_least_ms >= 0)
            buf_printf(out, "%.1f to %.1f", (double)row->ttl_least_ms / 1000, (double)row->ttl_most_ms / 1000);
        if (row->lasting)
            buf_printf(out, "%s%" PRIu64 " without", row->ttl_least_ms >= 0 ? ", " : "", row->lasting);
        buf_append_str(out, row->keys ? "\n" : "-\n");
    }
    buf_printf(out, "server: %" PRIu64 " bytes used; %" PRIu64 " hits, %" PRIu64 " misses", stats->used_memory,
               stats->hits, stats->misses);
    if (stats->hits + stats->misses)
        buf_printf(out, " (%.1f %% hits)", 100 * hit_ratio(stats));
    buf_printf(out, "; %" PRIu64 " evicted, %" PRIu64 " expired\n", stats->evicted, stats->expired);
}

static int stats(const struct request *request)
{
    struct err err = ERR_INIT;
    bool wanted[CACHE_KEY_COUNT];
    struct redis_stats found;
    struct buf page = BUF_INIT;
    choose(request, wanted, is_key);
    if (!redis_stats_read(request->link, &request->space, wanted, &found, &err))
        return cli_fail("cache", "%s", err.text);
    if (request->json)
        put_stats_json(&page, &found, wanted);
    else
        put_stats_table(&page, &found, wanted);
    (void)fwrite(page.data, 1, page.len, stdout);
    buf_free(&page);
    return CLI_OK;
}

static int run(struct request *request)
{
    static const struct {
        const char *name;
        int (*run)(const struct request *request);
    } actions[] = {{"warm", warm}, {"verify", verify}, {"stats", stats}, {"drop", drop}};
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        if (is(request, actions[i].name))
            return actions[i].run(request);
    return CLI_FAILED;
}

int cmd_cache(struct cli_context *context, int argc, char **argv)
{
    struct request request = {.action = ""};
    struct err err = ERR_INIT;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            (void)fputs(usage, stdout);
            return CLI_OK;
        }
    }
    if (!parse(&request, argc, argv))
        return CLI_FAILED;
    const struct settings *settings = request.settings = cli_settings(context);
    if (!settings)
        return CLI_FAILED;
    if (!settings_cache_space(settings, &request.space, &err))
        return cli_fail("cache", "%s", err.text);
    if (!*settings->redis_url)
        return cli_fail("cache", "no Redis is set: redis.url in the configuration file, which takes it from "
                                 "NOF0_REDIS_URL");
    if ((is(&request, "warm") || is(&request, "verify")) && !cli_postgres_dsn(context))
        return CLI_FAILED;
    request.link = redis_blocking_connect(settings->redis_url, settings->redis_connect_timeout_ms,
                                          settings->redis_command_timeout_ms, &err);
    if (!request.link)
        return cli_fail("cache", "%s", err.text);
    int code = run(&request);
    redisFree(request.link);
    return code;
}
