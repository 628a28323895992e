#include "cli/cmd_outbox.h"

#include "base/clock.h"
#include "base/json_write.h"
#include "base/log.h"
#include "base/num.h"
#include "cli/cli_flags.h"
#include "ingest/outbox_status.h"
#include "server/outbox_threads.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: nof0ctl outbox status [--json]\n"
    "       nof0ctl outbox retry  [--consumer NAME]\n"
    "       nof0ctl outbox drain  [--timeout S]\n"
    "\n"
    "The outbox of postgres.dsn says what changed; its consumers bring that to Redis, to the live stream, to the "
    "views\n"
    "and to the legacy files (docs/outbox.md).\n"
    "\n"
    "  status  how far each consumer is, who leads it, and what was put aside as a dead letter\n"
    "  retry   gives dead letters back to their consumers\n"
    "  drain   has everything applied that is in the outbox now: here, where nobody leads a consumer, else by waiting\n"
    "\n"
    "  --json           one JSON document\n"
    "  --consumer NAME  only this one's: live, redis:0, redis:1, views or legacy\n"
    "  --timeout S      how long drain may take, 1 to 86400 s (60)\n"
    "\n"
    "Exit codes: 0 fine; 1 status found dead letters or a consumer more than 60 s behind, drain did not come to the\n"
    "end; 2 could not run.\n";

enum { LATE_S = 60, TIMEOUT_S = 60, TIMEOUT_MOST_S = 86400, LOOK_US = 10000 };

struct request {
    const char *action;
    bool json;
    enum outbox_reader reader; /* OUTBOX_READER_COUNT: all */
    int64_t timeout_s;
    const struct settings *settings;
};

static bool is(const struct request *request, const char *action)
{
    return strcmp(request->action, action) == 0;
}

/* False after saying what is wrong. */
static bool parse(struct request *request, int argc, char **argv)
{
    if (argc < 2 ||
        (strcmp(argv[1], "status") != 0 && strcmp(argv[1], "retry") != 0 && strcmp(argv[1], "drain") != 0)) {
        (void)cli_fail("outbox", "say what to do: status, retry or drain; nof0ctl outbox --help");
        return false;
    }
    request->action = argv[1];
    for (int i = 2; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--json") == 0 && is(request, "status")) {
            request->json = true;
            continue;
        }
        if (strcmp(argv[i], "--consumer") == 0 && is(request, "retry") && value) {
            request->reader = outbox_reader_find(slice_of(value));
            if (request->reader == OUTBOX_READER_COUNT) {
                (void)cli_fail("outbox", "there is no consumer \"%s\"; nof0ctl outbox --help lists them", value);
                return false;
            }
            i++;
            continue;
        }
        bool timeout = strcmp(argv[i], "--timeout") == 0 && is(request, "drain") && value;
        if (!timeout || !num_parse_i64(slice_of(value), &request->timeout_s) || request->timeout_s < 1 ||
            request->timeout_s > TIMEOUT_MOST_S) {
            (void)cli_fail("outbox", "\"%s\" is not understood, or lacks its value; nof0ctl outbox --help", argv[i]);
            return false;
        }
        i++;
    }
    return true;
}

/* --- status --- */

static bool is_late(const struct outbox_reader_status *reader)
{
    return reader->lag.us > (int64_t)LATE_S * 1000000;
}

static void put_integer(struct json_writer *w, const char *key, int64_t value)
{
    json_key(w, slice_of(key));
    json_i64(w, value);
}

static void put_text(struct json_writer *w, const char *key, const char *text)
{
    json_key(w, slice_of(key));
    if (text)
        json_string(w, slice_of(text));
    else
        json_null(w);
}

static void put_status_json(struct buf *out, const struct outbox_status *status)
{
    struct json_writer w = json_writer_on(out);
    json_begin_object(&w);
    put_integer(&w, "newest_id", status->newest);
    put_integer(&w, "oldest_id", status->oldest);
    put_integer(&w, "rows", status->rows);
    put_integer(&w, "dead", status->dead);
    json_key(&w, SLICE("consumers"));
    json_begin_array(&w);
    for (unsigned i = 0; i < OUTBOX_READER_COUNT; i++) {
        const struct outbox_reader_status *reader = &status->readers[i];
        if (!reader->known)
            continue;
        json_begin_object(&w);
        put_text(&w, "name", outbox_reader_name((enum outbox_reader)i));
        put_integer(&w, "position", reader->position);
        put_integer(&w, "lag_rows", reader->lag.rows);
        json_key(&w, SLICE("lag_seconds"));
        json_double(&w, (double)reader->lag.us / 1e6);
        put_integer(&w, "dead", reader->lag.dead);
        put_integer(&w, "failures", reader->failures);
        put_text(&w, "last_error", reader->last_error);
        json_key(&w, SLICE("leader_backend"));
        if (reader->leader)
            json_i64(&w, reader->leader);
        else
            json_null(&w);
        put_text(&w, "leader_address", reader->leader_address);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    buf_append_char(out, '\n');
}

static void put_reader(struct buf *out, const char *name, const struct outbox_reader_status *reader)
{
    struct buf leader = BUF_INIT;
    if (reader->leader)
        buf_printf(&leader, "backend %" PRId64 "%s%s", reader->leader, reader->leader_address ? " of " : "",
                   reader->leader_address ? reader->leader_address : "");
    else
        buf_append_str(&leader, "nobody");
    buf_printf(out, "%-9s %12" PRId64 " %9" PRId64 " %9.1f %6" PRId64 "  %-24s", name, reader->position,
               reader->lag.rows, (double)reader->lag.us / 1e6, reader->lag.dead, buf_cstr(&leader));
    if (reader->last_error)
        buf_printf(out, "  %" PRId64 " failures: %s", reader->failures, reader->last_error);
    while (out->len && out->data[out->len - 1] == ' ')
        out->len--;
    buf_append_char(out, '\n');
    buf_free(&leader);
}

static void put_status_table(struct buf *out, const struct outbox_status *status)
{
    buf_printf(out, "%-9s %12s %9s %9s %6s  %s\n", "consumer", "position", "behind", "oldest, s", "dead", "leader");
    for (unsigned i = 0; i < OUTBOX_READER_COUNT; i++)
        if (status->readers[i].known)
            put_reader(out, outbox_reader_name((enum outbox_reader)i), &status->readers[i]);
    buf_printf(out, "outbox: newest %" PRId64 ", %" PRId64 " rows kept from %" PRId64 " on; %" PRId64 " dead letters\n",
               status->newest, status->rows, status->oldest, status->dead);
}

static int show_status(const struct request *request, struct session *session)
{
    struct outbox_status status;
    struct err err = ERR_INIT;
    int code = CLI_OK;
    if (outbox_status_read(session, &status, &err)) {
        struct buf page = BUF_INIT;
        if (request->json)
            put_status_json(&page, &status);
        else
            put_status_table(&page, &status);
        (void)fwrite(page.data, 1, page.len, stdout);
        buf_free(&page);
        bool bad = status.dead != 0;
        for (unsigned i = 0; i < OUTBOX_READER_COUNT; i++)
            bad = bad || (status.readers[i].known && is_late(&status.readers[i]));
        code = bad ? CLI_FOUND : CLI_OK;
    } else {
        code = cli_fail("outbox", "%s", err.text);
    }
    outbox_status_free(&status);
    return code;
}

static int retry(const struct request *request, struct session *session)
{
    int64_t count = 0;
    struct err err = ERR_INIT;
    if (!outbox_revive(session, request->reader, &count, &err))
        return cli_fail("outbox", "%s", err.text);
    printf("%" PRId64 " dead letters given back\n", count);
    return CLI_OK;
}

/* --- drain --- */

struct drain {
    struct outbox_options options;
    atomic_uint dual_write[CACHE_FEED_COUNT];
    struct outbox_board board;
    struct outbox_consumer *consumers[OUTBOX_READER_COUNT];
    int64_t deadline_ms;
};

static bool all_ended(const struct drain *drain)
{
    for (unsigned i = 0; i < OUTBOX_READER_COUNT; i++)
        if (drain->consumers[i] && !outbox_consumer_ended(drain->consumers[i]))
            return false;
    return true;
}

/* Waits for those that were started, then frees them; says which did not come to `until`. */
static bool await(struct drain *drain, int64_t until)
{
    bool good = true;
    while (!all_ended(drain) && clock_mono_ms() < drain->deadline_ms)
        (void)usleep(LOOK_US);
    for (unsigned i = 0; i < OUTBOX_READER_COUNT; i++)
        if (drain->consumers[i])
            outbox_consumer_stop(drain->consumers[i]);
    while (!all_ended(drain))
        (void)usleep(LOOK_US);
    for (unsigned i = 0; i < OUTBOX_READER_COUNT; i++) {
        struct outbox_consumer *consumer = drain->consumers[i];
        if (consumer && !outbox_consumer_reached(consumer)) {
            const char *why = outbox_consumer_trouble(consumer);
            (void)cli_fail("outbox", "%s did not come to row %" PRId64 " in time%s%s",
                           outbox_reader_name((enum outbox_reader)i), until, *why ? ": " : "", why);
            good = false;
        }
        outbox_consumer_free(consumer);
        drain->consumers[i] = NULL;
    }
    return good;
}

/* Starts the readers that the settings ask for, until `until`. */
static bool start_readers(struct drain *drain, int64_t until, struct err *err)
{
    bool good = true;
    for (unsigned i = 0; good && i < OUTBOX_READER_COUNT; i++) {
        if (!outbox_reader_wanted(&drain->options, (enum outbox_reader)i))
            continue;
        const struct outbox_start start = {.options = &drain->options,
                                           .reader = (enum outbox_reader)i,
                                           .numbers = &drain->board.readers[i],
                                           .until = until};
        drain->consumers[i] = outbox_consumer_start(&start, err);
        good = drain->consumers[i] != NULL;
    }
    return good;
}

/* The readers' options, as settings and flags say now. Without a feed whose files are kept none are looked after. */
static bool set_options(struct drain *drain, const struct request *request, struct session *session, struct err *err)
{
    struct flag_set flags = {0};
    bool any = false;
    if (!cli_flags_load(request->settings, session, &flags, err))
        return false;
    for (enum cache_feed feed = 0; feed < CACHE_FEED_COUNT; feed++) {
        bool on = flags.states[outbox_dual_write_flag(feed)].value.on;
        atomic_init(&drain->dual_write[feed], on);
        any = any || on;
    }
    return outbox_options_of(request->settings, any ? drain->dual_write : NULL, &drain->options, err);
}

/* The views may add a row, for all to apply: so there may be a second round, and by then no reason for a third. */
static int drain_all(const struct request *request, struct session *session)
{
    struct drain drain = {.deadline_ms = clock_mono_ms() + request->timeout_s * 1000};
    struct err err = ERR_INIT;
    int64_t until = 0;
    int64_t newest = 0;
    bool reached = true;
    if (!request->settings->postgres_prepared_statements)
        return cli_fail("outbox",
                        "drain needs a Postgres connection of its own, and postgres.prepared_statements: false "
                        "says that there is a transaction pooler");
    if (!set_options(&drain, request, session, &err))
        return cli_fail("outbox", "%s", err.text);
    log_setup(STDERR_FILENO, LOG_WARN, request->settings->log_format);
    bool good = outbox_newest(session, &newest, &err);
    for (unsigned round = 0; round < 2 && good && reached && (round == 0 || newest > until); round++) {
        until = newest;
        good = start_readers(&drain, until, &err);
        reached = await(&drain, until);
        good = good && outbox_newest(session, &newest, &err);
    }
    if (!good)
        return cli_fail("outbox", "%s", err.text);
    if (!reached)
        return CLI_FOUND;
    printf("everything up to row %" PRId64 " is applied\n", until);
    return CLI_OK;
}

int cmd_outbox(struct cli_context *context, int argc, char **argv)
{
    struct request request = {.reader = OUTBOX_READER_COUNT, .timeout_s = TIMEOUT_S};
    struct err err = ERR_INIT;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            (void)fputs(usage, stdout);
            return CLI_OK;
        }
    }
    if (!parse(&request, argc, argv))
        return CLI_FAILED;
    request.settings = cli_settings(context);
    const char *dsn = request.settings ? cli_postgres_dsn(context) : NULL;
    struct session *session = dsn ? session_open(dsn, &err) : NULL;
    if (!session)
        return dsn ? cli_fail("outbox", "Postgres: %s", err.text) : CLI_FAILED;
    int code = is(&request, "status")  ? show_status(&request, session)
               : is(&request, "retry") ? retry(&request, session)
                                       : drain_all(&request, session);
    session_close(session);
    return code;
}
