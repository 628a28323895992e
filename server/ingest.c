#include "server/ingest.h"

#include "base/mem.h"
#include "ingest/event_split.h"
#include "server/bearer.h"
#include "server/ingest_reply.h"
#include "server/ingest_request.h"
#include "server/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static const char path_prefix[] = "/api/ingest/";
static const char allowed[] = "POST, OPTIONS";

bool ingest_is_path(struct slice path)
{
    return path.n >= sizeof path_prefix - 1 && memcmp(path.p, path_prefix, sizeof path_prefix - 1) == 0;
}

bool ingest_streams(const struct http_request *request)
{
    return http_request_method(request) == HTTP_POST && ingest_is_path(http_request_path(request));
}

struct event_lanes_options ingest_lanes_options(const struct settings *settings)
{
    return (struct event_lanes_options){.dsn = settings->postgres_dsn,
                                        .timeout_ms = settings->ingest_timeout_ms,
                                        .most_queued_bytes = (size_t)settings->ingest_queue_bytes};
}

void ingest_free(struct ingest *ingest)
{
    buf_free(&ingest->in);
    for (size_t i = 0; i < 2; i++) {
        buf_free(&ingest->pieces[i].text);
        event_batch_free(ingest->pieces[i].batch);
        free(ingest->pieces[i].lines);
    }
    if (ingest->retry)
        event_free(ingest->retry);
    free(ingest);
}

void ingest_fail(struct ingest *ingest, unsigned status, const char *code, const char *message)
{
    reply_error(ingest->request, ingest->door->settings,
                &(struct reply_fault){.status = status, .code = code, .message = message});
    ingest_free(ingest);
}

/* --- what may come in --- */

static void refuse(struct ingest_door *door, struct http_request *request, unsigned status, const char *code,
                   const char *message)
{
    reply_error(request, door->settings,
                &(struct reply_fault){
                    .status = status, .code = code, .message = message, .allow = status == 405 ? allowed : NULL});
}

static struct slice trimmed(struct slice text)
{
    while (text.n && (text.p[0] == ' ' || text.p[0] == '\t'))
        text = (struct slice){text.p + 1, text.n - 1};
    while (text.n && (text.p[text.n - 1] == ' ' || text.p[text.n - 1] == '\t'))
        text.n--;
    return text;
}

/* What stands before the next semicolon, without blanks around it; *text is what follows. */
static struct slice next_part(struct slice *text)
{
    const char *end = text->n ? memchr(text->p, ';', text->n) : NULL;
    struct slice part = {text->p, end ? (size_t)(end - text->p) : text->n};
    *text = end ? (struct slice){end + 1, text->n - part.n - 1} : (struct slice){NULL, 0};
    return trimmed(part);
}

/* "application/json; charset=utf-8": the media type in front of the parameters. False for another charset. */
static bool media_type(struct slice header, struct slice *type)
{
    static const char name[] = "charset=";
    *type = next_part(&header);
    while (header.n) {
        struct slice part = next_part(&header);
        if (part.n < sizeof name - 1 || strncasecmp(part.p, name, sizeof name - 1) != 0)
            continue;
        struct slice value = {part.p + sizeof name - 1, part.n - (sizeof name - 1)};
        if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
            value = (struct slice){value.p + 1, value.n - 2};
        if (value.n != 5 || strncasecmp(value.p, "utf-8", 5) != 0)
            return false;
    }
    return true;
}

static bool type_is(struct slice type, const char *name)
{
    return type.n == strlen(name) && strncasecmp(type.p, name, type.n) == 0;
}

/* False after refusing. */
static bool check_form(struct ingest_door *door, struct http_request *request, bool *by_line)
{
    struct slice type;
    struct slice encoding = http_request_header(request, "Content-Encoding");
    bool utf8 = media_type(http_request_header(request, "Content-Type"), &type);
    *by_line = type_is(type, "application/x-ndjson") || type_is(type, "application/ndjson") ||
               type_is(type, "application/jsonl");
    if (!utf8) {
        refuse(door, request, 415, "unsupported_media_type", "the charset must be utf-8");
        return false;
    }
    if (type.n && !*by_line && !type_is(type, "application/json")) {
        refuse(door, request, 415, "unsupported_media_type",
               "Content-Type must be application/json or application/x-ndjson");
        return false;
    }
    if (encoding.n && !type_is(encoding, "identity")) {
        refuse(door, request, 415, "unsupported_media_type", "a Content-Encoding is not understood here");
        return false;
    }
    return true;
}

/* "atomic=true", "atomic=false" or nothing of it; false for anything else. Other parameters are ignored. */
static bool read_atomic(struct slice query, bool *atomic)
{
    static const char name[] = "atomic";
    bool seen = false;
    *atomic = false;
    while (query.n) {
        const char *end = memchr(query.p, '&', query.n);
        struct slice pair = {query.p, end ? (size_t)(end - query.p) : query.n};
        query = (struct slice){query.p + pair.n + (end ? 1 : 0), query.n - pair.n - (end ? 1 : 0)};
        const char *equals = memchr(pair.p, '=', pair.n);
        struct slice key = {pair.p, equals ? (size_t)(equals - pair.p) : pair.n};
        struct slice value = {pair.p + key.n + (equals ? 1 : 0), pair.n - key.n - (equals ? 1 : 0)};
        if (!slice_is(key, name))
            continue;
        if (seen || (!slice_is(value, "true") && !slice_is(value, "false")))
            return false;
        seen = true;
        *atomic = slice_is(value, "true");
    }
    return true;
}

/* Everything that can be said before the body comes. False after answering. */
static bool admit(struct ingest_door *door, struct http_request *request, enum event_kind *kind, bool *by_line,
                  bool *atomic)
{
    const struct settings *settings = door->settings;
    struct slice path = http_request_path(request);
    struct slice name = {path.p + sizeof path_prefix - 1, path.n - (sizeof path_prefix - 1)};
    enum http_method method = http_request_method(request);
    *kind = event_kind_find(name);
    if (!settings->ingest_token[0]) {
        refuse(door, request, 404, "not_found", "events are not taken here: ingest.token is not set");
    } else if (*kind == EVENT_KIND_COUNT) {
        refuse(door, request, 404, "not_found", "there is no such kind of events");
    } else if (method == HTTP_OPTIONS) {
        reply_options(request, settings, allowed);
    } else if (method != HTTP_POST) {
        refuse(door, request, 405, "method_not_allowed", "only POST and OPTIONS are allowed here");
    } else if (!bearer_is(request, settings->ingest_token)) {
        http_reply_header(request, "WWW-Authenticate", SLICE("Bearer"));
        refuse(door, request, 401, "unauthorized", "a bearer token is needed, and this is none or a wrong one");
    } else if (door->off) {
        refuse(door, request, 503, "switched_off", "events are not taken at the moment: an operator switched this off");
    } else if (!read_atomic(http_request_query(request), atomic)) {
        reply_error(request, settings,
                    &(struct reply_fault){.status = 400,
                                          .code = "bad_parameter",
                                          .message = "atomic must be true or false, once",
                                          .param = "atomic"});
    } else {
        return check_form(door, request, by_line);
    }
    return false;
}

/* --- a batch on its way --- */

/* Whom a kind's events make old answers of. */
static void raise_floors(struct ingest *ingest)
{
    static const bool touched[EVENT_KIND_COUNT][CACHE_FEED_COUNT] = {
        [EVENT_TRADES] =
            {[CACHE_FEED_trades] = true, [CACHE_FEED_positions] = true, [CACHE_FEED_account_totals] = true},
        [EVENT_POSITIONS] = {[CACHE_FEED_positions] = true},
        [EVENT_PRICES] = {[CACHE_FEED_crypto_prices] = true},
        [EVENT_ACCOUNT_TOTALS] = {[CACHE_FEED_account_totals] = true},
        [EVENT_CONVERSATIONS] = {[CACHE_FEED_conversations] = true},
        [EVENT_ANALYTICS] = {[CACHE_FEED_analytics] = true},
        [EVENT_LEADERBOARD] = {[CACHE_FEED_leaderboard] = true},
        [EVENT_SINCE_INCEPTION] = {[CACHE_FEED_since_inception] = true},
    };
    if (event_batch_counts(ingest->pieces[1].batch).accepted == 0)
        return;
    for (unsigned feed = 0; feed < CACHE_FEED_COUNT; feed++)
        if (touched[ingest->kind][feed])
            (void)cache_floor_raise(ingest->door->floors, (enum cache_feed)feed, ingest->version);
}

static void answer_document(struct ingest *ingest)
{
    struct buf json = BUF_INIT;
    const struct event_batch *batch = ingest->pieces[1].batch;
    ingest_put_document(&json, batch);
    reply_json(ingest->request, ingest->door->settings, ingest_status(batch), buf_slice(&json));
    buf_free(&json);
    ingest_free(ingest);
}

static void on_stored(void *arg)
{
    struct ingest *ingest = arg;
    ingest->storing = false;
    if (ingest->err.code == ERR_NONE)
        raise_floors(ingest);
    if (ingest->by_line)
        ingest_lines_stored(ingest);
    else if (ingest->err.code != ERR_NONE)
        ingest_fail(ingest, 503, "unavailable",
                    "the database cannot be reached; whether the items are stored is not known, so send them again");
    else
        answer_document(ingest);
}

/* On a lane's thread. */
static void stored(void *arg, struct event_batch *batch, int64_t version, const struct err *err)
{
    (void)batch;
    struct ingest *ingest = arg;
    ingest->version = version;
    ingest->err = err ? *err : (struct err)ERR_INIT;
    mailbox_post(ingest->door->mailbox, on_stored, ingest);
}

static void submit(struct ingest *ingest);

static void on_retry(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    submit(arg);
}

static void submit(struct ingest *ingest)
{
    if (event_lanes_submit(ingest->door->lanes, ingest->pieces[1].batch, stored, ingest))
        return;
    const struct timeval wait = {.tv_usec = INGEST_RETRY_MS * 1000L};
    if (!ingest->by_line) {
        ingest_fail(ingest, 503, "overloaded", "too much waits to be stored; nothing of this was");
        return;
    }
    if (!ingest->retry)
        ingest->retry = event_new(ingest->door->base, -1, 0, on_retry, ingest);
    if (!ingest->retry || event_add(ingest->retry, &wait) != 0) {
        ingest->err.code = ERR_UNAVAILABLE;
        mailbox_post(ingest->door->mailbox, on_stored, ingest);
    }
}

static bool add_item(void *arg, struct slice item)
{
    event_batch_add(arg, item);
    return true;
}

/* On any thread. */
static void read_text(void *arg)
{
    struct ingest *ingest = arg;
    struct ingest_piece *piece = &ingest->pieces[0];
    if (ingest->by_line)
        ingest_lines_read(ingest);
    else if (!event_split_json(buf_slice(&piece->text), add_item, piece->batch, &ingest->fault))
        ingest->fault.code = ERR_INVALID;
}

void ingest_store_ready(struct ingest *ingest)
{
    struct ingest_piece read = ingest->pieces[0];
    ingest->pieces[0] = ingest->pieces[1];
    ingest->pieces[1] = read;
    ingest->ready = false;
    ingest->storing = true;
    submit(ingest);
}

static void on_read(void *arg)
{
    struct ingest *ingest = arg;
    ingest->reading = false;
    if (ingest->fault.code != ERR_NONE) {
        ingest_fail(ingest, 400, "malformed", ingest->fault.text);
        return;
    }
    ingest->ready = true;
    if (ingest->by_line)
        ingest_lines_go_on(ingest);
    else
        ingest_store_ready(ingest);
}

void ingest_begin_piece(struct ingest *ingest)
{
    struct ingest_piece *piece = &ingest->pieces[0];
    event_batch_free(piece->batch);
    piece->batch = event_batch_new(ingest->kind, ingest->door->settings->prices_provider);
    if (ingest->atomic)
        event_batch_set_atomic(piece->batch);
    ingest->reading = true;
    if (piece->text.len > INGEST_INLINE) {
        offload_submit(ingest->door->offload, ingest->door->mailbox, read_text, on_read, ingest);
        return;
    }
    read_text(ingest);
    on_read(ingest);
}

/* --- the body --- */

static void take_whole(struct ingest *ingest)
{
    struct buf empty = BUF_INIT;
    ingest->pieces[0].text = ingest->in;
    ingest->in = empty;
    ingest_begin_piece(ingest);
}

static void on_data(void *arg, struct http_request *request, struct slice bytes)
{
    struct ingest *ingest = arg;
    size_t most = (size_t)ingest->door->settings->ingest_max_body_bytes;
    bool collects = !ingest->by_line || ingest->atomic;
    if (collects && ingest->in.len + bytes.n > most) {
        ingest_fail(ingest, 413, "body_too_large",
                    ingest->by_line ? "an atomic body must fit into ingest.max_body_bytes"
                                    : "the body is larger than ingest.max_body_bytes; send newline-delimited JSON");
        return;
    }
    buf_append_slice(&ingest->in, bytes);
    if (collects)
        return;
    if (ingest_waiting(ingest).n > INGEST_READ_AHEAD && !ingest->paused) {
        ingest->paused = true;
        http_request_pause(request);
    }
    ingest_lines_go_on(ingest);
}

static void on_end(void *arg, struct http_request *request, struct http_body_end end)
{
    (void)request;
    struct ingest *ingest = arg;
    ingest->ended = end.how == HTTP_BODY_WHOLE;
    ingest->gone = ingest->gone || end.how == HTTP_BODY_GONE;
    if (end.how == HTTP_BODY_MALFORMED && !ingest->by_line)
        ingest_fail(ingest, end.status, "bad_request", end.reason);
    else if (end.how == HTTP_BODY_MALFORMED)
        ingest_lines_abort(ingest, end.status, "bad_request", end.reason);
    else if (ingest->by_line)
        ingest_lines_go_on(ingest);
    else if (ingest->gone)
        ingest_fail(ingest, 400, "bad_request", "the body did not come to its end");
    else
        take_whole(ingest);
}

void ingest_answer(struct ingest_door *door, struct http_request *request)
{
    enum event_kind kind;
    bool by_line = false;
    bool atomic = false;
    if (!admit(door, request, &kind, &by_line, &atomic))
        return;
    bool has_body = http_request_is_streamed(request);
    if (!has_body && !by_line) {
        refuse(door, request, 400, "malformed", "there is no body");
        return;
    }
    struct ingest *ingest = mem_zalloc(sizeof *ingest);
    *ingest = (struct ingest){
        .door = door, .request = request, .kind = kind, .by_line = by_line, .atomic = atomic, .status = 200};
    if (!has_body) { /* no lines are as good as some */
        ingest->ended = true;
        ingest_lines_go_on(ingest);
        return;
    }
    const struct http_receiver receiver = {.data = on_data, .end = on_end, .arg = ingest};
    http_request_receive(request, &receiver);
}
