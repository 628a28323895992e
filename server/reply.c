#include "server/reply.h"

#include "base/clock.h"
#include "base/json_write.h"
#include "base/log.h"
#include "server/negotiate.h"

#include <stdlib.h>

#define CORS_EXPOSED "ETag, Retry-After, X-Request-Id"
#define SIDE_HEADER "X-Nof0-Source"

static void put_header(struct http_request *request, const char *name, const char *value)
{
    http_reply_header(request, name, slice_of(value));
}

static void put_cors(struct http_request *request, const struct settings *settings)
{
    const char *origin = settings->cors_allow_origin;
    if (!origin[0])
        return;
    put_header(request, "Access-Control-Allow-Origin", origin);
    put_header(request, "Access-Control-Expose-Headers", CORS_EXPOSED);
}

static void log_reply(struct http_request *request, unsigned status)
{
    if (!log_wants(LOG_DEBUG))
        return;
    log_event(LOG_DEBUG, "request",
              LOG_FIELDS(log_str("id", http_request_id(request)), log_slice("peer", http_request_peer(request)),
                         log_slice("method", http_request_method_name(request)),
                         log_slice("path", http_request_path(request)), log_slice("query", http_request_query(request)),
                         log_int("status", status), log_int("us", clock_mono_us() - http_request_started_us(request))));
}

static void send_reply(struct http_request *request, unsigned status)
{
    log_reply(request, status);
    http_reply_send(request);
}

void reply_private_json(struct http_request *request, unsigned status, struct slice json)
{
    http_reply_status(request, status);
    put_header(request, "Content-Type", "application/json; charset=utf-8");
    put_header(request, "Cache-Control", "no-store");
    http_reply_copy(request, json);
    send_reply(request, status);
}

void reply_json(struct http_request *request, const struct settings *settings, unsigned status, struct slice json)
{
    put_cors(request, settings);
    reply_private_json(request, status, json);
}

/* The body of an error, and the headers that go with its status. */
static void put_fault(struct http_request *request, const struct settings *settings, const struct reply_fault *fault,
                      struct buf *json)
{
    struct json_writer w = json_writer_on(json);
    json_begin_object(&w);
    json_key(&w, SLICE("error"));
    json_begin_object(&w);
    json_key(&w, SLICE("code"));
    json_string(&w, slice_of(fault->code));
    json_key(&w, SLICE("message"));
    json_string(&w, slice_of(fault->message));
    if (fault->param) {
        json_key(&w, SLICE("param"));
        json_string(&w, slice_of(fault->param));
    }
    json_end_object(&w);
    json_end_object(&w);

    if (fault->status == 503)
        put_header(request, "Retry-After",
                   arena_printf(http_request_arena(request), "%lld", (long long)settings->server_retry_after_s));
    if (fault->allow)
        put_header(request, "Allow", fault->allow);
}

void reply_error(struct http_request *request, const struct settings *settings, const struct reply_fault *fault)
{
    struct buf json = BUF_INIT;
    put_fault(request, settings, fault, &json);
    reply_json(request, settings, fault->status, buf_slice(&json));
    buf_free(&json);
}

void reply_private_error(struct http_request *request, const struct settings *settings, const struct reply_fault *fault)
{
    struct buf json = BUF_INIT;
    put_fault(request, settings, fault, &json);
    reply_private_json(request, fault->status, buf_slice(&json));
    buf_free(&json);
}

void reply_event_stream(struct http_request *request, const struct settings *settings, const struct http_stream *stream)
{
    put_header(request, "Content-Type", "text/event-stream; charset=utf-8");
    put_header(request, "Cache-Control", "no-store");
    put_header(request, "X-Accel-Buffering", "no"); /* nginx would gather events */
    put_cors(request, settings);
    log_reply(request, 200);
    http_reply_stream(request, stream);
}

void reply_options(struct http_request *request, const struct settings *settings, const char *allow)
{
    http_reply_status(request, 204);
    put_header(request, "Allow", allow);
    put_cors(request, settings);
    if (settings->cors_allow_origin[0]) {
        put_header(request, "Access-Control-Allow-Methods", allow);
        put_header(request, "Access-Control-Allow-Headers",
                   "Accept, Authorization, Content-Type, If-None-Match, Last-Event-ID, X-Request-Id");
        put_header(request, "Access-Control-Max-Age",
                   arena_printf(http_request_arena(request), "%lld", (long long)settings->cors_max_age_s));
    }
    send_reply(request, 204);
}

/* A value from the settings must not be able to end its line. */
static void add_line(struct buf *lines, const char *name, const char *value)
{
    buf_append_str(lines, name);
    buf_append_str(lines, ": ");
    size_t start = lines->len;
    buf_append_str(lines, value);
    for (size_t i = start; i < lines->len; i++)
        if (lines->data[i] == '\r' || lines->data[i] == '\n')
            lines->data[i] = ' ';
    buf_append_str(lines, "\r\n");
}

static void add_head(struct buf *lines, struct slice status_line, const struct settings *settings,
                     const struct reply_answer *answer)
{
    bool says_side = answer->mode == FLAG_SHADOW || answer->mode == FLAG_CANARY;
    char cache_control[ENDPOINT_CACHE_CONTROL_SIZE];
    buf_append_slice(lines, status_line);
    add_line(lines, "ETag", document_etag(answer->document));
    add_line(lines, "Cache-Control", endpoint_cache_control(answer->endpoint, settings, answer->mode, cache_control));
    add_line(lines, "Vary", "Accept-Encoding");
    if (says_side)
        add_line(lines, SIDE_HEADER, endpoint_side_name(answer->side));
    if (!settings->cors_allow_origin[0])
        return;
    add_line(lines, "Access-Control-Allow-Origin", settings->cors_allow_origin);
    add_line(lines, "Access-Control-Expose-Headers", says_side ? CORS_EXPOSED ", " SIDE_HEADER : CORS_EXPOSED);
}

static void add_body_lines(struct buf *lines, size_t body_size, size_t tail_size)
{
    add_line(lines, "Content-Type", "application/json; charset=utf-8");
    buf_printf(lines, "Content-Length: %zu\r\n", body_size + tail_size);
}

void reply_heads_make(struct reply_heads *heads, const struct settings *settings, const struct reply_answer *answer)
{
    const struct document *document = answer->document;
    char tail[DOCUMENT_GZIP_TAIL_SIZE];
    int64_t now_ms = clock_wall_ms();
    struct buf lines = BUF_INIT;
    add_head(&lines, SLICE("HTTP/1.1 200 OK\r\n"), settings, answer);
    heads->tail_size = document_tail(document, now_ms, tail);
    add_body_lines(&lines, document_body(document).n, heads->tail_size);
    size_t plain = lines.len;
    if (document_is_compressed(document)) {
        add_head(&lines, SLICE("HTTP/1.1 200 OK\r\n"), settings, answer);
        add_line(&lines, "Content-Encoding", "gzip");
        add_body_lines(&lines, document_gzip(document).n, document_gzip_tail(document, now_ms, tail));
    }
    size_t gzip = lines.len - plain;
    add_head(&lines, SLICE("HTTP/1.1 304 Not Modified\r\n"), settings, answer);
    size_t all = 0;
    char *bytes = buf_take(&lines, &all);
    heads->plain = (struct slice){bytes, plain};
    heads->gzip = (struct slice){bytes + plain, gzip};
    heads->not_modified = (struct slice){bytes + plain + gzip, all - plain - gzip};
}

void reply_heads_free(struct reply_heads *heads)
{
    free((char *)heads->plain.p);
    *heads = (struct reply_heads){0};
}

bool reply_with_heads(struct http_request *request, const struct reply_ready *ready)
{
    struct document *document = ready->document;
    struct slice known = http_request_header(request, "If-None-Match");
    if (known.p && negotiate_not_modified(known, document_etag(document))) {
        http_reply_head(request, 304, ready->heads->not_modified);
        send_reply(request, 304);
        ready->release(ready->arg);
        return true;
    }
    int64_t now_ms = clock_wall_ms();
    char tail[DOCUMENT_GZIP_TAIL_SIZE];
    struct slice body = document_body(document);
    struct slice head = ready->heads->plain;
    size_t tail_size = document_tail(document, now_ms, tail);
    if (tail_size != ready->heads->tail_size)
        return false;
    bool packed = ready->gzip && ready->heads->gzip.n;
    if (packed) {
        head = ready->heads->gzip;
        body = document_gzip(document);
        tail_size = document_gzip_tail(document, now_ms, tail);
    }
    http_reply_head(request, 200, head);
    int file = document_file(document, packed);
    if (file >= 0)
        http_reply_file(request, file, body.n, ready->release, ready->arg);
    else
        http_reply_shared(request, body, ready->release, ready->arg);
    http_reply_copy(request, (struct slice){tail, tail_size});
    send_reply(request, 200);
    return true;
}

void reply_document(struct http_request *request, const struct settings *settings, const struct reply_answer *answer,
                    bool gzip)
{
    for (bool done = false; !done;) {
        struct reply_heads heads;
        reply_heads_make(&heads, settings, answer);
        done = reply_with_heads(request, &(struct reply_ready){.heads = &heads,
                                                               .document = answer->document,
                                                               .gzip = gzip,
                                                               .release = document_release,
                                                               .arg = answer->document});
        reply_heads_free(&heads);
    }
}
