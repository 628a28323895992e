/* A whole connection from any bytes, over a socket pair: whatever comes and however it is cut, the statuses that go
 * out are the same, each request is answered once, and each shared part comes back once. The first byte says how large
 * the pieces are. Paths that begin with "/l" are answered later, bodies for "/s" are streamed: for "/sp" with a
 * pause behind each piece, for "/se" into a reply that is a stream, and "/sr" replies at once. */
#include "server/http_internal.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_HELD = 64, MAX_STATUSES = 4096, MAX_TURNS = 10000 };

struct run {
    struct event_base *base;
    struct http_server *server;
    struct http_request *held[MAX_HELD];
    unsigned held_count;
    unsigned taken;
    unsigned released;
    unsigned handled;
    struct buf out;
    unsigned statuses[MAX_STATUSES];
    unsigned status_count;
    struct http_request *paused; /* since the last turn; at most one of a connection */
    unsigned ends;
    unsigned streamed;
    uint64_t echoed; /* a sum over what streams echoed */
};

static void require(bool truth)
{
    if (!truth)
        abort();
}

static void release(void *arg)
{
    struct run *run = arg;
    run->released++;
}

static void reply(struct run *run, struct http_request *request)
{
    (void)http_request_header(request, "x");
    http_reply_header(request, "X-Path", http_request_path(request));
    run->taken++;
    http_reply_shared(request, http_request_body(request), release, run);
    http_reply_send(request);
}

static bool is_streamed(void *arg, const struct http_request *request)
{
    (void)arg;
    struct slice path = http_request_path(request);
    return path.n > 1 && path.p[1] == 's';
}

static char kind_of(const struct http_request *request)
{
    struct slice path = http_request_path(request);
    return path.n > 2 ? path.p[2] : '\0';
}

static void on_data(void *arg, struct http_request *request, struct slice bytes)
{
    struct run *run = arg;
    require(bytes.n > 0 && run->paused == NULL);
    if (kind_of(request) == 'e') {
        http_stream_copy(request, bytes);
    } else if (kind_of(request) == 'p') {
        http_request_pause(request);
        run->paused = request;
    }
}

static void on_end(void *arg, struct http_request *request, struct http_body_end end)
{
    struct run *run = arg;
    run->ends++;
    run->paused = NULL;
    if (kind_of(request) == 'e') {
        run->taken++;
        http_stream_shared(request, SLICE("end"), release, run);
        http_stream_end(request);
        return;
    }
    if (end.how != HTTP_BODY_WHOLE)
        http_reply_status(request, end.status ? end.status : 410);
    reply(run, request);
}

static void on_gone(void *arg, struct http_request *request)
{
    struct run *run = arg;
    run->ends++; /* in place of the body's */
    run->taken++;
    http_stream_shared(request, SLICE("end"), release, run);
    http_stream_end(request);
}

static void stream(struct run *run, struct http_request *request)
{
    if (kind_of(request) == 'r') {
        reply(run, request);
        return;
    }
    run->streamed++;
    if (kind_of(request) == 'e')
        http_reply_stream(request, &(struct http_stream){.gone = on_gone, .arg = run});
    http_request_receive(request, &(struct http_receiver){on_data, on_end, run});
}

static void resume_paused(struct run *run)
{
    struct http_request *request = run->paused;
    run->paused = NULL;
    if (request)
        http_request_resume(request);
}

static void handle(void *arg, struct http_request *request)
{
    struct run *run = arg;
    run->handled++;
    struct slice path = http_request_path(request);
    if (http_request_is_streamed(request))
        stream(run, request);
    else if (path.n > 1 && path.p[1] == 'l' && run->held_count < MAX_HELD)
        run->held[run->held_count++] = request;
    else
        reply(run, request);
}

static void reply_to_held(struct run *run)
{
    for (unsigned i = 0; i < run->held_count; i++)
        reply(run, run->held[i]);
    run->held_count = 0;
}

/* Reads what has come; true at the end of the stream. */
static bool read_out(struct run *run, int fd)
{
    for (;;) {
        char *room = buf_reserve(&run->out, 65536);
        ssize_t n = recv(fd, room, 65536, MSG_DONTWAIT);
        if (n <= 0)
            return n == 0;
        run->out.len += (size_t)n;
    }
}

static const char *take_chunks(struct run *run, const char *at, const char *end)
{
    size_t size = 1;
    while (size) {
        char *line_end;
        require(end - at > 4);
        size = strtoull(at, &line_end, 16);
        require(line_end > at && (size_t)(end - line_end) >= size + 4 && memcmp(line_end, "\r\n", 2) == 0);
        at = line_end + 2;
        for (size_t i = 0; i < size; i++)
            run->echoed = run->echoed * 31 + (unsigned char)at[i];
        at += size;
        require(memcmp(at, "\r\n", 2) == 0);
        at += 2;
    }
    return at;
}

/* The statuses of the replies; the heads are our own, so anything odd in them is a fault. */
static void take_statuses(struct run *run)
{
    const char *at = run->out.data;
    const char *end = at + run->out.len;
    while (at < end) {
        require(end - at > 12 && memcmp(at, "HTTP/1.1 ", 9) == 0);
        unsigned status = (unsigned)atoi(at + 9);
        const char *head_end = memmem(at, (size_t)(end - at), "\r\n\r\n", 4);
        require(head_end != NULL);
        const char *length = memmem(at, (size_t)(head_end - at), "\r\nContent-Length: ", 18);
        bool is_chunked = memmem(at, (size_t)(head_end - at), "\r\nTransfer-Encoding: chunked", 28);
        at = head_end + 4;
        if (status == 100)
            continue;
        require(run->status_count < MAX_STATUSES);
        run->statuses[run->status_count++] = status;
        if (is_chunked)
            at = take_chunks(run, at, end);
        else
            at = length ? at + atol(length + 18) : end; /* the body of a stream to HTTP/1.0 */
        require(at <= end);
    }
}

static void run_connection(struct run *run, const char *bytes, size_t n, size_t piece)
{
    static const struct http_limits limits = {.max_uri = 100,
                                              .max_headers = 400,
                                              .max_body = 200,
                                              .max_connections = 10,
                                              .header_timeout_ms = 60000,
                                              .idle_timeout_ms = 60000,
                                              .write_timeout_ms = 60000};
    int fds[2];
    require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    run->base = event_base_new();
    run->server = http_server_new(run->base, &limits, handle, run);
    http_server_stream_bodies(run->server, is_streamed, NULL);
    struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
    (void)http_conn_start(run->server, fds[0], &peer);

    size_t sent = 0;
    bool ended = false;
    for (int turn = 0; turn < MAX_TURNS && !ended; turn++) {
        size_t take = n - sent < piece ? n - sent : piece;
        ssize_t went = take ? send(fds[1], bytes + sent, take, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
        sent += went > 0 ? (size_t)went : 0;
        if (sent == n)
            (void)shutdown(fds[1], SHUT_WR);
        (void)event_base_loop(run->base, EVLOOP_NONBLOCK);
        reply_to_held(run);
        resume_paused(run);
        ended = read_out(run, fds[1]);
    }
    require(ended); /* a connection never hangs */
    (void)close(fds[1]);
    for (int turn = 0; turn < 4; turn++) {
        (void)event_base_loop(run->base, EVLOOP_NONBLOCK);
        reply_to_held(run);
    }
    struct http_counts counts;
    http_server_counts(run->server, &counts);
    require(counts.requests == run->handled && counts.connections_open == 0);
    require(run->taken == run->released && run->taken == run->handled);
    require(run->ends == run->streamed && counts.streams_open == 0);
    http_server_free(run->server);
    event_base_free(run->base);
    if (run->out.len)
        take_statuses(run);
    buf_free(&run->out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct run whole;
    static struct run pieces;
    /* HEAD would need the client to know what it asked for. */
    if (size < 2 || memmem(data, size, "HEAD", 4))
        return 0;
    memset(&whole, 0, sizeof whole);
    memset(&pieces, 0, sizeof pieces);
    run_connection(&whole, (const char *)data + 1, size - 1, size);
    run_connection(&pieces, (const char *)data + 1, size - 1, 1 + data[0] % 64U);
    require(whole.status_count == pieces.status_count);
    require(whole.echoed == pieces.echoed);
    require(memcmp(whole.statuses, pieces.statuses, whole.status_count * sizeof whole.statuses[0]) == 0);
    return 0;
}
