#include "server/http_internal.h"

/* A request that began: made when its first byte is there. */
static void begin(struct conn *conn)
{
    conn->reading = http_request_take(conn);
    conn->reading->started_us = conn->read_us;
    conn->phase = HTTP_READ_HEAD;
    conn->restart = true;
}

void http_input_use(struct conn *conn, size_t n)
{
    conn->unread.p += n;
    conn->unread.n -= n;
}

/* The request is complete: it takes its place in the queue and goes to the handler, who may answer at once. */
static void dispatch(struct conn *conn)
{
    struct http_request *request = conn->reading;
    struct http_server *server = conn->server;
    conn->reading = NULL;
    STAILQ_INSERT_TAIL(&conn->queue, request, next);
    conn->queued++;
    request->close = !request->head.keep_alive;
    if (request->close)
        conn->last = true;
    server->counts.requests++;
    server->handler(server->arg, request);
}

static void ask_for_body(struct conn *conn)
{
    struct http_request *interim = http_request_take(conn);
    http_reply_interim(interim);
    STAILQ_INSERT_TAIL(&conn->queue, interim, next);
    conn->queued++;
}

/* The head is complete: keeps its bytes with the request and sees whether a body follows. */
static void take_head(struct conn *conn)
{
    struct http_request *request = conn->reading;
    struct http_head *head = &request->head;
    request->bytes = arena_copy(request->arena, (struct slice){conn->unread.p, head->size}).p;
    http_input_use(conn, head->size);
    http_request_set_id(request, true);

    bool has_body = head->chunked || head->content_length > 0;
    if (!has_body) {
        dispatch(conn);
        return;
    }
    const struct http_server *server = conn->server;
    const struct http_limits *limits = &server->limits;
    if (server->streams && server->streams(server->streams_arg, request)) {
        http_receive_begin(conn);
        return;
    }
    if (head->content_length > limits->max_body) {
        http_conn_refuse(conn, 413, "the body is too large");
        return;
    }
    conn->phase = head->chunked ? HTTP_READ_CHUNKS : HTTP_READ_BODY;
    if (head->chunked)
        http_chunks_start(&request->chunks, limits->max_body, limits->max_headers);
    /* RFC 9110 section 10.1.1: needless when the client has begun to send the body anyway. */
    if (head->expects_continue && conn->unread.n == 0)
        ask_for_body(conn);
}

static bool read_head(struct conn *conn)
{
    struct http_head *head = &conn->reading->head;
    switch (http_head_read(head, conn->unread.p, conn->unread.n, &conn->server->limits)) {
    case HTTP_HEAD_DONE:
        take_head(conn);
        return true;
    case HTTP_HEAD_BAD:
        http_conn_refuse(conn, head->status, head->reason);
        return true;
    case HTTP_HEAD_MORE:
        break;
    }
    return false;
}

static bool read_body(struct conn *conn)
{
    struct http_request *request = conn->reading;
    size_t missing = (size_t)request->head.content_length - request->body.len;
    size_t take = conn->unread.n < missing ? conn->unread.n : missing;
    buf_append(&request->body, conn->unread.p, take);
    http_input_use(conn, take);
    if (take < missing)
        return false;
    dispatch(conn);
    return true;
}

static bool read_chunks(struct conn *conn)
{
    struct http_request *request = conn->reading;
    size_t used;
    enum http_chunks_state state =
        http_chunks_read(&request->chunks, conn->unread.p, conn->unread.n, &used, &request->body);
    http_input_use(conn, used);
    switch (state) {
    case HTTP_CHUNKS_DONE:
        dispatch(conn);
        return true;
    case HTTP_CHUNKS_BAD:
        http_conn_refuse(conn, request->chunks.status, request->chunks.reason);
        return true;
    case HTTP_CHUNKS_MORE:
    case HTTP_CHUNKS_DATA:
        break;
    }
    return false;
}

static bool read_phase(struct conn *conn)
{
    switch ((enum http_reading)conn->phase) {
    case HTTP_READ_BODY:
        return read_body(conn);
    case HTTP_READ_CHUNKS:
        return read_chunks(conn);
    case HTTP_READ_HEAD:
        break;
    }
    return read_head(conn);
}

void http_input_take(struct conn *conn)
{
    bool more = true;
    while (more && (conn->unread.n || http_receive_is_due(conn)) && http_conn_may_take(conn)) {
        if (conn->receiving) {
            http_receive_take(conn);
            continue;
        }
        if (!conn->reading)
            begin(conn);
        more = read_phase(conn);
    }
}
