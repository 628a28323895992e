#include "server/http_internal.h"

struct http_intake {
    struct http_receiver receiver;
    uint64_t left; /* of a body with a Content-Length */
    bool registered;
    bool paused;
    bool complete; /* all of it was handed over, its end is yet to be told */
};

void http_receive_begin(struct conn *conn)
{
    struct http_request *request = conn->reading;
    struct http_server *server = conn->server;
    struct http_intake *intake = arena_alloc(request->arena, sizeof *intake);
    *intake = (struct http_intake){.left = request->head.content_length};
    request->intake = intake;
    if (request->head.chunked)
        http_chunks_start(&request->chunks, SIZE_MAX, server->limits.max_headers);
    request->close = !request->head.keep_alive;
    conn->reading = NULL;
    conn->receiving = request;
    STAILQ_INSERT_TAIL(&conn->queue, request, next);
    conn->queued++;
    server->counts.requests++;
    server->handler(server->arg, request);
}

bool http_receive_may_take(const struct conn *conn)
{
    const struct http_intake *intake = conn->receiving->intake;
    return conn->fd >= 0 && !conn->closes && intake->registered && !intake->paused;
}

bool http_receive_is_due(const struct conn *conn)
{
    return conn->receiving && conn->receiving->intake->complete;
}

/* Nothing behind this body is a request. */
static void cut_off(struct conn *conn, struct http_request *request)
{
    request->close = true;
    conn->last = true;
    conn->discarded = true;
}

static void end(struct conn *conn, struct http_body_end end)
{
    struct http_request *request = conn->receiving;
    struct http_receiver receiver = request->intake->receiver;
    conn->receiving = NULL;
    if (end.how != HTTP_BODY_WHOLE)
        cut_off(conn, request);
    else if (request->close)
        conn->last = true;
    receiver.end(receiver.arg, request, end);
}

static void hand_over(struct http_request *request, struct slice bytes)
{
    request->intake->receiver.data(request->intake->receiver.arg, request, bytes);
}

static void take_length(struct conn *conn, struct http_request *request)
{
    struct http_intake *intake = request->intake;
    struct slice bytes = conn->unread;
    if (bytes.n > intake->left)
        bytes.n = (size_t)intake->left;
    http_input_use(conn, bytes.n);
    intake->left -= bytes.n;
    intake->complete = intake->left == 0;
    hand_over(request, bytes);
}

static void take_chunks(struct conn *conn, struct http_request *request)
{
    struct slice data;
    size_t used;
    enum http_chunks_state state = http_chunks_next(&request->chunks, conn->unread.p, conn->unread.n, &used, &data);
    http_input_use(conn, used);
    switch (state) {
    case HTTP_CHUNKS_DATA:
        hand_over(request, data);
        break;
    case HTTP_CHUNKS_DONE:
        request->intake->complete = true;
        break;
    case HTTP_CHUNKS_BAD:
        conn->server->counts.protocol_errors++;
        end(conn, (struct http_body_end){HTTP_BODY_MALFORMED, request->chunks.status, request->chunks.reason});
        break;
    case HTTP_CHUNKS_MORE:
        break;
    }
}

void http_receive_take(struct conn *conn)
{
    struct http_request *request = conn->receiving;
    conn->restart = true;
    if (request->intake->complete)
        end(conn, (struct http_body_end){.how = HTTP_BODY_WHOLE});
    else if (request->head.chunked)
        take_chunks(conn, request);
    else
        take_length(conn, request);
}

void http_receive_check(struct conn *conn)
{
    const struct http_intake *intake = conn->receiving->intake;
    bool ended = conn->eof && conn->in.len == 0 && !intake->complete;
    if (intake->registered && (conn->fd < 0 || conn->closes || ended))
        end(conn, (struct http_body_end){HTTP_BODY_GONE, 0, "the client went away before the body's end"});
}

void http_receive_timed_out(struct conn *conn)
{
    static const char reason[] = "the body took too long to arrive";
    struct http_request *request = conn->receiving;
    if (request->outlet) {
        http_conn_drop(conn);
    } else {
        /* In the place of the handler's reply, which is still to come and then goes nowhere. */
        struct http_request *refusal = http_request_take(conn);
        memcpy(refusal->id, request->id, sizeof refusal->id);
        refusal->started_us = request->started_us;
        http_reply_error(refusal, 408, reason);
        http_conn_insert(conn, refusal, request);
    }
    end(conn, (struct http_body_end){HTTP_BODY_GONE, 408, reason});
}

void http_receive_forget(struct http_request *request)
{
    struct conn *conn = request->conn;
    if (conn->receiving != request)
        return;
    conn->receiving = NULL;
    cut_off(conn, request);
}

bool http_request_is_streamed(const struct http_request *request)
{
    return request->intake != NULL;
}

/* RFC 9110 section 10.1.1: needless when the client has begun to send the body anyway. */
static bool waits_to_continue(const struct conn *conn, const struct http_request *request)
{
    return request->head.expects_continue && !request->outlet && conn->fd >= 0 && !conn->closes &&
           conn->unread.n == 0 && conn->in.len == 0;
}

void http_request_receive(struct http_request *request, const struct http_receiver *receiver)
{
    struct conn *conn = request->conn;
    http_must(conn->receiving == request && !request->intake->registered, "a request has no body to receive");
    request->intake->receiver = *receiver;
    request->intake->registered = true;
    conn->restart = true;
    if (waits_to_continue(conn, request)) {
        struct http_request *interim = http_request_take(conn);
        http_reply_interim(interim);
        http_conn_insert(conn, interim, request);
    }
    http_conn_ready(conn);
}

static void set_paused(struct http_request *request, bool paused)
{
    struct conn *conn = request->conn;
    if (conn->receiving != request || request->intake->paused == paused)
        return;
    request->intake->paused = paused;
    http_conn_ready(conn);
}

void http_request_pause(struct http_request *request)
{
    set_paused(request, true);
}

void http_request_resume(struct http_request *request)
{
    set_paused(request, false);
}
