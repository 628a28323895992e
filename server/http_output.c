#include "server/http_internal.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

enum {
    /* Of one write: each reply that may wait, as head, body and tail. */
    MAX_PIECES = 3 * HTTP_PIPELINE,
    MAX_ROUNDS = 8, /* writes in a row before other connections get their turn */
    SMALL = 4096,   /* bytes of several pieces that are cheaper to copy together than to hand over one by one */
};

/* What is written next: some pieces of memory, or a piece of a file. */
struct batch {
    int count;
    bool file_follows; /* behind the pieces */
    int file;          /* -1: none */
    size_t file_at;
    size_t file_left;
    struct iovec pieces[MAX_PIECES];
};

/* The same for the body of a stream. */
static bool add_stream(const struct http_request *request, struct batch *batch)
{
    batch->count += http_stream_fill(request, batch->pieces + batch->count, MAX_PIECES - batch->count);
    return request->replied && batch->count < MAX_PIECES;
}

/* Appends what is left of one request's reply; false when nothing may be added behind it. */
static bool add_pieces(const struct http_request *request, struct batch *batch)
{
    size_t skip = request->sent;
    unsigned parts = request->drops_body ? 0 : request->part_count;
    for (unsigned i = 0; i <= parts; i++) {
        struct slice piece = i == 0 ? request->head_bytes : request->parts[i - 1].bytes;
        if (skip >= piece.n) {
            skip -= piece.n;
            continue;
        }
        if (i > 0 && request->parts[i - 1].fd >= 0) {
            batch->file_follows = batch->count > 0;
            batch->file = batch->count > 0 ? -1 : request->parts[i - 1].fd;
            batch->file_at = skip;
            batch->file_left = piece.n - skip;
            return false;
        }
        if (batch->count == MAX_PIECES)
            return false;
        batch->pieces[batch->count++] = (struct iovec){(char *)piece.p + skip, piece.n - skip};
        skip = 0;
    }
    return !request->outlet || add_stream(request, batch);
}

static size_t reply_size(const struct http_request *request)
{
    size_t size = request->head_bytes.n;
    if (!request->drops_body)
        for (unsigned i = 0; i < request->part_count; i++)
            size += request->parts[i].bytes.n;
    return size;
}

/* No request will follow this one: it says so to the client. Decided when the reply is about to leave, since only then
 * it is known what came behind it. */
static void settle_close(struct conn *conn, struct http_request *request)
{
    bool ends = conn->last || conn->server->draining || (conn->eof && conn->unread.n == 0);
    if (ends && !STAILQ_NEXT(request, next) && !conn->reading)
        request->close = true;
    if (request->close)
        conn->last = true;
}

/* False when there is nothing to write. */
static bool gather(struct conn *conn, struct batch *batch)
{
    batch->count = 0;
    batch->file = -1;
    batch->file_follows = false;
    struct http_request *request;
    STAILQ_FOREACH(request, &conn->queue, next)
    {
        if (!request->replied && !request->outlet)
            break;
        if (!request->head_built) {
            settle_close(conn, request);
            http_reply_build_head(request);
        }
        if (!add_pieces(request, batch) || request->close)
            break;
    }
    return batch->count > 0 || batch->file >= 0;
}

static size_t batch_size(const struct batch *batch)
{
    size_t size = 0;
    for (int i = 0; i < batch->count; i++)
        size += batch->pieces[i].iov_len;
    return size;
}

/* A small reply in one piece spares the kernel reading and checking a vector, which costs more than this copy. */
static ssize_t write_pieces(int fd, struct batch *batch)
{
    enum { FLAGS = MSG_NOSIGNAL | MSG_DONTWAIT };
    if (batch->count == 1)
        return send(fd, batch->pieces[0].iov_base, batch->pieces[0].iov_len, FLAGS);
    size_t size = batch_size(batch);
    if (size <= SMALL) {
        char together[SMALL];
        char *at = together;
        for (int i = 0; i < batch->count; i++)
            at = mempcpy(at, batch->pieces[i].iov_base, batch->pieces[i].iov_len);
        return send(fd, together, size, FLAGS);
    }
    const struct msghdr message = {.msg_iov = batch->pieces, .msg_iovlen = (size_t)batch->count};
    return sendmsg(fd, &message, FLAGS);
}

static ssize_t write_batch(int fd, struct batch *batch)
{
    if (batch->file >= 0) {
        off_t at = (off_t)batch->file_at;
        ssize_t n = sendfile(fd, batch->file, &at, batch->file_left);
        if (n == 0) { /* the file is shorter than its part: what was promised cannot be sent */
            errno = EIO;
            return -1;
        }
        return n;
    }
    return write_pieces(fd, batch);
}

void http_output_forget(struct conn *conn)
{
    struct http_request *request = STAILQ_FIRST(&conn->queue);
    while (request) {
        struct http_request *next = STAILQ_NEXT(request, next);
        if (request->replied) {
            STAILQ_REMOVE(&conn->queue, request, http_request, next);
            conn->queued--;
            http_request_done(request);
        }
        request = next;
    }
}

/* The first reply of the queue is written. */
static void leave(struct conn *conn, struct http_request *request)
{
    bool close = request->close;
    STAILQ_REMOVE_HEAD(&conn->queue, next);
    conn->queued--;
    http_request_done(request);
    if (!close)
        return;
    /* What stands behind a reply that closes the connection is never sent. */
    conn->discarded = conn->discarded || conn->queued > 0;
    conn->closes = true;
    http_output_forget(conn);
}

static bool account(struct conn *conn, size_t written)
{
    bool left = false;
    conn->server->counts.bytes_out += written;
    struct http_request *request;
    while (written && !conn->closes && (request = STAILQ_FIRST(&conn->queue))) {
        size_t rest = reply_size(request) - request->sent;
        if (written < rest) {
            request->sent += written;
            break;
        }
        written -= rest;
        if (request->outlet) {
            request->sent += rest;
            written -= http_stream_took(request, written);
            if (!http_stream_is_over(request))
                break;
        }
        left = true;
        leave(conn, request);
    }
    return left;
}

/* A stream whose end takes no bytes of its own leaves without a write. */
static bool leave_ended_streams(struct conn *conn)
{
    bool left = false;
    struct http_request *request;
    while (!conn->closes && (request = STAILQ_FIRST(&conn->queue)) && request->outlet && request->head_built &&
           request->sent == request->head_bytes.n && http_stream_is_over(request)) {
        left = true;
        leave(conn, request);
    }
    return left;
}

/* A reply of which a part is a file takes several writes; held back until the last of them, it leaves in as few
 * segments as if it were one. Once held, a connection stays so: tcp(7) has TCP_NODELAY push what a TCP_CORK holds. */
static void hold(struct conn *conn)
{
    int on = 1;
    if (!conn->held)
        conn->held = setsockopt(conn->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on) == 0;
}

static void push(struct conn *conn)
{
    int on = 1;
    if (conn->held && conn->fd >= 0)
        (void)setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

bool http_output_write(struct conn *conn)
{
    bool left = leave_ended_streams(conn);
    bool wrote = false;
    conn->blocked = false;
    for (int round = 0; conn->fd >= 0 && !conn->closes; round++) {
        struct batch batch;
        if (!gather(conn, &batch))
            break;
        if (round == MAX_ROUNDS) {
            conn->blocked = true;
            conn->yields = true;
            break;
        }
        if (batch.file_follows || batch.file >= 0)
            hold(conn);
        ssize_t n = write_batch(conn->fd, &batch);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            conn->blocked = true;
            break;
        }
        if (n < 0) {
            http_conn_drop(conn);
            break;
        }
        conn->progressed = true;
        left = account(conn, (size_t)n) || left;
        wrote = true;
    }
    if (wrote && !conn->blocked)
        push(conn);
    return left;
}
