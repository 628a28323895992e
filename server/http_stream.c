#include "base/mem.h"
#include "server/http_internal.h"

#include <stdlib.h>

enum { FRAME_SIZE = 20 };

struct piece {
    STAILQ_ENTRY(piece) next;
    struct slice bytes; /* of a copy with its frame */
    void (*release)(void *arg);
    void *arg;
    uint8_t frame_size; /* before the bytes */
    uint8_t tail_size;  /* behind them: the line end of a chunk */
    char frame[FRAME_SIZE];
    char copy[];
};

struct http_outlet {
    struct http_stream stream;
    STAILQ_HEAD(, piece) pieces;
    size_t taken;   /* of the first piece */
    size_t pending; /* of all pieces */
    bool chunked;
    bool mute; /* there is no body */
    bool owes_room;
    bool told_gone;
    bool told_drain;
};

void http_reply_stream(struct http_request *request, const struct http_stream *stream)
{
    http_must(!request->replied && !request->outlet && request->part_count == 0, "a stream cannot begin");
    struct conn *conn = request->conn;
    struct http_outlet *outlet = mem_zalloc(sizeof *outlet);
    outlet->stream = *stream;
    STAILQ_INIT(&outlet->pieces);
    bool no_content = request->status == 204 || request->status == 304;
    outlet->mute = no_content || request->head.method == HTTP_HEAD;
    outlet->chunked = request->head.minor >= 1 && !no_content;
    if (!outlet->chunked && !outlet->mute)
        request->close = true;
    request->outlet = outlet;
    conn->streams++;
    conn->server->counts.streams_open++;
    http_conn_ready(conn);
}

static size_t piece_size(const struct piece *piece)
{
    return piece->frame_size + piece->bytes.n + piece->tail_size;
}

static void add(struct http_request *request, struct piece *piece)
{
    struct http_outlet *outlet = request->outlet;
    STAILQ_INSERT_TAIL(&outlet->pieces, piece, next);
    outlet->pending += piece_size(piece);
    outlet->owes_room = true;
    http_conn_ready(request->conn);
}

/* "<size in hex>" and a line end; not NUL-terminated. */
static uint8_t write_frame(char *at, size_t size)
{
    uint8_t digits = 1;
    for (size_t rest = size >> 4; rest; rest >>= 4)
        digits++;
    for (int i = digits - 1; i >= 0; i--, size >>= 4)
        at[i] = "0123456789abcdef"[size & 15];
    at[digits] = '\r';
    at[digits + 1] = '\n';
    return (uint8_t)(digits + 2);
}

static void must_be_open(const struct http_request *request)
{
    http_must(request->outlet && !request->replied, "a stream is not open");
}

void http_stream_copy(struct http_request *request, struct slice bytes)
{
    must_be_open(request);
    if (bytes.n == 0 || request->outlet->mute)
        return;
    struct piece *piece = mem_alloc(sizeof *piece + FRAME_SIZE + bytes.n + 2);
    *piece = (struct piece){.release = NULL};
    size_t at = request->outlet->chunked ? write_frame(piece->copy, bytes.n) : 0;
    memcpy(piece->copy + at, bytes.p, bytes.n);
    at += bytes.n;
    if (request->outlet->chunked) {
        memcpy(piece->copy + at, "\r\n", 2);
        at += 2;
    }
    piece->bytes = (struct slice){piece->copy, at};
    add(request, piece);
}

void http_stream_shared(struct http_request *request, struct slice bytes, void (*release)(void *arg), void *arg)
{
    must_be_open(request);
    struct piece *piece = mem_alloc(sizeof *piece);
    *piece = (struct piece){.bytes = bytes, .release = release, .arg = arg};
    if (request->outlet->chunked && bytes.n) { /* a chunk of no bytes would be the last */
        piece->frame_size = write_frame(piece->frame, bytes.n);
        piece->tail_size = 2;
    }
    add(request, piece);
}

size_t http_stream_pending(const struct http_request *request)
{
    return request->outlet->pending;
}

void http_stream_end(struct http_request *request)
{
    must_be_open(request);
    struct http_outlet *outlet = request->outlet;
    if (outlet->chunked && !outlet->mute) {
        struct piece *piece = mem_alloc(sizeof *piece);
        *piece = (struct piece){.bytes = SLICE("0\r\n\r\n")};
        add(request, piece);
    }
    request->conn->streams--;
    request->conn->server->counts.streams_open--;
    http_reply_send(request);
}

void http_stream_end_and_close(struct http_request *request)
{
    request->close = true;
    http_stream_end(request);
}

/* Adds what is behind *skip of the bytes. */
static int add_bytes(struct iovec *at, const char *bytes, size_t n, size_t *skip)
{
    if (*skip >= n) {
        *skip -= n;
        return 0;
    }
    *at = (struct iovec){(char *)bytes + *skip, n - *skip};
    *skip = 0;
    return 1;
}

int http_stream_fill(const struct http_request *request, struct iovec *pieces, int room)
{
    const struct http_outlet *outlet = request->outlet;
    if (outlet->mute)
        return 0;
    int count = 0;
    size_t skip = outlet->taken;
    const struct piece *piece;
    STAILQ_FOREACH(piece, &outlet->pieces, next)
    {
        if (count < room)
            count += add_bytes(pieces + count, piece->frame, piece->frame_size, &skip);
        if (count < room)
            count += add_bytes(pieces + count, piece->bytes.p, piece->bytes.n, &skip);
        if (count < room)
            count += add_bytes(pieces + count, "\r\n", piece->tail_size, &skip);
        if (count == room)
            break;
    }
    return count;
}

static void drop_first(struct http_outlet *outlet)
{
    struct piece *piece = STAILQ_FIRST(&outlet->pieces);
    STAILQ_REMOVE_HEAD(&outlet->pieces, next);
    outlet->pending -= piece_size(piece) - outlet->taken;
    outlet->taken = 0;
    if (piece->release)
        piece->release(piece->arg);
    free(piece);
}

size_t http_stream_took(struct http_request *request, size_t n)
{
    struct http_outlet *outlet = request->outlet;
    size_t took = 0;
    const struct piece *piece;
    while ((piece = STAILQ_FIRST(&outlet->pieces))) {
        size_t rest = piece_size(piece) - outlet->taken;
        if (n - took < rest) {
            outlet->taken += n - took;
            outlet->pending -= n - took;
            return n;
        }
        took += rest;
        drop_first(outlet);
    }
    return took;
}

bool http_stream_is_chunked(const struct http_request *request)
{
    return request->outlet->chunked;
}

bool http_stream_is_over(const struct http_request *request)
{
    return request->replied && (request->outlet->mute || request->outlet->pending == 0);
}

static void tell(struct http_request *request, struct http_outlet *outlet, bool away)
{
    const struct http_stream *stream = &outlet->stream;
    if (away || outlet->told_gone) {
        if (!outlet->told_gone) {
            outlet->told_gone = true;
            stream->gone(stream->arg, request);
        }
        return;
    }
    if (request->conn->server->draining && !outlet->told_drain) {
        outlet->told_drain = true;
        if (stream->drain)
            stream->drain(stream->arg, request);
    }
    if (!request->replied && outlet->owes_room && outlet->pending == 0) {
        outlet->owes_room = false;
        if (stream->room)
            stream->room(stream->arg, request);
    }
}

void http_stream_tell(struct conn *conn)
{
    struct http_request *request;
    STAILQ_FOREACH(request, &conn->queue, next)
    {
        struct http_outlet *outlet = request->outlet;
        if (!outlet || request->replied)
            continue;
        /* Nobody will take these, or they are empty. */
        while ((conn->fd < 0 || outlet->mute || outlet->pending == 0) && !STAILQ_EMPTY(&outlet->pieces))
            drop_first(outlet);
        if (!request->replied)
            tell(request, outlet, conn->fd < 0 || conn->eof || conn->peer_closed || conn->closes);
    }
}

void http_stream_free(struct http_request *request)
{
    struct http_outlet *outlet = request->outlet;
    while (!STAILQ_EMPTY(&outlet->pieces))
        drop_first(outlet);
    if (!request->replied)
        request->conn->server->counts.streams_open--;
    request->outlet = NULL;
    free(outlet);
}
