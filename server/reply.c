#include "server/reply.h"

#include "base/clock.h"
#include "base/json_write.h"
#include "base/log.h"
#include "server/negotiate.h"

#include <stdio.h>

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
    put_header(request, "Access-Control-Expose-Headers", "ETag, Retry-After, X-Request-Id");
}

static void send_reply(struct http_request *request, unsigned status)
{
    log_event(LOG_DEBUG, "request",
              LOG_FIELDS(log_str("id", http_request_id(request)), log_slice("peer", http_request_peer(request)),
                         log_slice("method", http_request_method_name(request)),
                         log_slice("path", http_request_path(request)), log_slice("query", http_request_query(request)),
                         log_int("status", status), log_int("us", clock_mono_us() - http_request_started_us(request))));
    http_reply_send(request);
}

void reply_json(struct http_request *request, const struct settings *settings, unsigned status, struct slice json)
{
    http_reply_status(request, status);
    put_header(request, "Content-Type", "application/json; charset=utf-8");
    put_header(request, "Cache-Control", "no-store");
    put_cors(request, settings);
    http_reply_copy(request, json);
    send_reply(request, status);
}

void reply_error(struct http_request *request, const struct settings *settings, const struct reply_fault *fault)
{
    struct buf json = BUF_INIT;
    struct json_writer w = json_writer_on(&json);
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
    reply_json(request, settings, fault->status, buf_slice(&json));
    buf_free(&json);
}

void reply_options(struct http_request *request, const struct settings *settings, const char *allow)
{
    http_reply_status(request, 204);
    put_header(request, "Allow", allow);
    put_cors(request, settings);
    if (settings->cors_allow_origin[0]) {
        put_header(request, "Access-Control-Allow-Methods", allow);
        put_header(request, "Access-Control-Allow-Headers", "Accept, Content-Type, If-None-Match, X-Request-Id");
        put_header(request, "Access-Control-Max-Age",
                   arena_printf(http_request_arena(request), "%lld", (long long)settings->cors_max_age_s));
    }
    send_reply(request, 204);
}

void reply_document(struct http_request *request, const struct settings *settings, const struct endpoint *endpoint,
                    struct document *document, bool gzip)
{
    char cache_control[ENDPOINT_CACHE_CONTROL_SIZE];
    struct slice known = http_request_header(request, "If-None-Match");
    unsigned status = known.p && negotiate_not_modified(known, document_etag(document)) ? 304 : 200;
    http_reply_status(request, status);
    put_header(request, "ETag", document_etag(document));
    put_header(request, "Cache-Control", endpoint_cache_control(endpoint, settings, cache_control));
    put_header(request, "Vary", "Accept-Encoding");
    put_cors(request, settings);
    if (status == 304) {
        send_reply(request, status);
        document_unref(document);
        return;
    }

    put_header(request, "Content-Type", "application/json; charset=utf-8");
    int64_t now_ms = clock_wall_ms();
    char tail[DOCUMENT_GZIP_TAIL_SIZE];
    struct slice body = document_body(document);
    size_t tail_size = 0;
    if (gzip && document_is_compressed(document)) {
        put_header(request, "Content-Encoding", "gzip");
        body = document_gzip(document);
        tail_size = document_gzip_tail(document, now_ms, tail);
    } else {
        tail_size = document_tail(document, now_ms, tail);
    }
    http_reply_shared(request, body, document_release, document);
    http_reply_copy(request, (struct slice){tail, tail_size});
    send_reply(request, status);
}
