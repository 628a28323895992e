/* HTTP/1.1 as the rest of the server sees it: requests come in whole, replies go out whole, unless somebody asks for
 * either piece by piece (below); parsing, limits, timeouts, keep-alive, pipelining, partial writes and slow peers are
 * behind this header. One http_server per worker loop; everything here happens on that loop. Protocol: RFC 9110, RFC
 * 9112.
 *
 * What the layer answers by itself, as JSON errors {"error":{"code","message"}}: 400 malformed, 408 too slow to finish
 * a request it began, 413 body, 414 URI, 417 unknown expectation, 431 headers over the limit, 501 unknown transfer
 * coding or CONNECT, 505 version, 503 when more connections than allowed are open. Each closes the connection. */
#ifndef NOF0_SERVER_HTTP_H
#define NOF0_SERVER_HTTP_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

#include <event2/event.h>
#include <stdint.h>

struct http_limits {
    size_t max_uri;            /* bytes of the request target; longer: 414 */
    size_t max_headers;        /* bytes of all header lines; longer: 431 */
    size_t max_body;           /* bytes; longer: 413 */
    unsigned max_connections;  /* of this server; more: 503 and close */
    int64_t header_timeout_ms; /* from a request's first byte to the end of its headers and body; of a body that is
                                * received piece by piece: without a byte of it */
    int64_t idle_timeout_ms;   /* between requests of a kept connection, and before the first */
    int64_t write_timeout_ms;  /* without any progress while a reply waits to be read */
};

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_OPTIONS, HTTP_POST, HTTP_PUT, HTTP_DELETE, HTTP_PATCH, HTTP_OTHER };

struct http_server;
struct http_request;

/* Called once per request. The handler replies now or later, exactly once, with http_reply_send; until then the request
 * stays valid even if the client goes away (the reply then goes nowhere). */
typedef void http_handler(void *arg, struct http_request *request);

struct http_server *http_server_new(struct event_base *base, const struct http_limits *limits, http_handler *handler,
                                    void *arg);

/* Goes by other limits from now on. Timers that run already keep their time, and new ones that are shorter may end as
 * late as those; connections beyond a smaller max_connections stay. */
void http_server_set_limits(struct http_server *server, const struct http_limits *limits);

/* Takes a listening socket (non-blocking, made by http_listen), owns it from then on, and starts to accept. One socket
 * a server. */
bool http_server_accept(struct http_server *server, int listen_fd, struct err *err) MUST_CHECK;

/* Closes the listener, lets requests in flight finish, closes idle connections at once, answers the last request of
 * each other with "Connection: close", and calls done(arg), from the loop, when no connection is left and no request
 * waits for its reply. done may free the server. Streams are in flight until their owners end them: each is told by its
 * drain callback, also one that begins later. */
void http_server_drain(struct http_server *server, void (*done)(void *arg), void *arg);

/* Closes whatever is still open and frees everything; not from inside a handler or another callback of this header but
 * done. Requests that were not replied to, and open streams, must not be touched afterwards: nothing is called but
 * release(). */
void http_server_free(struct http_server *server);

/* A non-blocking TCP listener with SO_REUSEPORT (so that each worker has its own), SO_REUSEADDR and TCP_NODELAY. `host`
 * is an address, not a name. Port 0 takes a free one. Returns the descriptor or -1. *port receives the port in use.
 * At a loopback address its connections are not paced, whatever congestion control the system has. */
int http_listen(const char *host, unsigned port, unsigned *actual_port, struct err *err);

/* The request. Slices live until the reply is sent. */
enum http_method http_request_method(const struct http_request *request);
struct slice http_request_method_name(const struct http_request *request);
struct slice http_request_path(const struct http_request *request); /* percent-encoded, as it came, without the query */
struct slice http_request_query(const struct http_request *request); /* behind "?", without it */
/* Path and query as one, as they came; empty when the client named no path. */
struct slice http_request_target(const struct http_request *request);
struct slice http_request_body(const struct http_request *request);
/* A header's value without the white space around it (name in any case), or p == NULL. Repeated headers: joined by ",
 * ". */
struct slice http_request_header(const struct http_request *request, const char *name);
struct arena *http_request_arena(struct http_request *request);
/* The client's X-Request-Id when it is 1 to 64 of [A-Za-z0-9._-], else one made here. NUL-terminated. */
const char *http_request_id(const struct http_request *request);
int64_t http_request_started_us(const struct http_request *request); /* clock_mono_us when its first byte was read */
struct slice http_request_peer(const struct http_request *request);  /* the client's address, for logs */

/* The reply: status, headers, then up to HTTP_REPLY_PARTS pieces of body in order, then send. Date, Content-Length,
 * Connection and X-Request-Id are added here; HEAD, 204 and 304 send no body bytes (HEAD keeps the Content-Length). */
enum { HTTP_REPLY_PARTS = 4 };
void http_reply_status(struct http_request *request, unsigned status);
/* In place of the status and of headers set one by one: the status line and header lines, each with its line end, but
 * for Date, Connection and X-Request-Id; a reply that has a body also needs its Content-Length in them. Copied as they
 * are. Further headers may follow with http_reply_header. */
void http_reply_head(struct http_request *request, unsigned status, struct slice lines);
/* The value is copied; a line end in it becomes a space. */
void http_reply_header(struct http_request *request, const char *name, struct slice value);
/* Bytes copied into the request's arena. */
void http_reply_copy(struct http_request *request, struct slice bytes);
/* Bytes that stay where they are until release(arg) is called, once, when they are written or the connection is gone.
 */
void http_reply_shared(struct http_request *request, struct slice bytes, void (*release)(void *arg), void *arg);
/* The same for the first `size` bytes of a file (made by memfd_create or open; its offset is not used), which the
 * kernel sends without copying them: for large bodies. The file must not change. The process must ignore SIGPIPE. */
void http_reply_file(struct http_request *request, int fd, size_t size, void (*release)(void *arg), void *arg);
/* Ends the request; do not touch it afterwards. Writing, release() and further requests of the connection come later
 * from the loop (or when the handler has returned), never from inside this call. */
void http_reply_send(struct http_request *request);
/* As http_reply_send for a 204 or error that must also close the connection afterwards. */
void http_reply_send_and_close(struct http_request *request);

/* A request's body piece by piece. `streams` is asked, once the head of a request that has a body is complete, whether
 * the body is to be received so: true: the handler is called at once, max_body does not apply, and http_request_body is
 * empty. The handler then calls http_request_receive, now or later, or replies; nothing is read until it does either.
 *
 * A reply that is over (http_reply_send, http_stream_end) before the body has ended closes the connection, and nothing
 * more of the body is heard of. It may begin earlier (http_reply_stream). */
void http_server_stream_bodies(struct http_server *server,
                               bool (*streams)(void *arg, const struct http_request *request), void *arg);
bool http_request_is_streamed(const struct http_request *request);

struct http_body_end {
    enum {
        HTTP_BODY_WHOLE,
        HTTP_BODY_MALFORMED, /* reply with `status`, since of `reason` */
        HTTP_BODY_GONE,      /* the client is away or, with status 408, sent nothing for too long (and was told so if no
                              * reply had begun); reply all the same: it goes nowhere */
    } how;
    unsigned status;
    const char *reason; /* English */
};

/* Called from the loop, never from inside a function of this header. */
struct http_receiver {
    /* The bytes, at least one, decoded when they came chunked, are there until it returns. */
    void (*data)(void *arg, struct http_request *request, struct slice bytes);
    /* Exactly once, unless the request is replied to before. */
    void (*end)(void *arg, struct http_request *request, struct http_body_end end);
    void *arg;
};

/* Lets the body of a streamed request come, after "100 Continue" if the client waits for that. Once a request. */
void http_request_receive(struct http_request *request, const struct http_receiver *receiver);
/* No data and no end (but that of a client known to be away) until resume. The socket is not read meanwhile, so the
 * client is held back, and no time limit runs; at most 64 KiB that were read already wait here. For a request that
 * http_request_receive was called for and whose body has not ended; else nothing happens. */
void http_request_pause(struct http_request *request);
void http_request_resume(struct http_request *request);

/* A reply piece by piece, of any length. The callbacks come from the loop, never from inside a function of this header;
 * each may be NULL but `gone`. */
struct http_stream {
    /* Everything accepted was taken by the socket. */
    void (*room)(void *arg, struct http_request *request);
    /* Once: the client is away: reset, too slow to read (write_timeout_ms without progress), or it closed its side. A
     * client that only shuts down its sending side looks the same as one that closed and is taken for it, as no usual
     * client of streams does that; what was accepted is still sent to it. http_stream_end must follow, now or later. */
    void (*gone)(void *arg, struct http_request *request);
    /* Once: the server is draining and waits for http_stream_end. */
    void (*drain)(void *arg, struct http_request *request);
    void *arg;
};

/* After status and headers, in place of parts of body and http_reply_send: the head leaves, the stream is open. The
 * body is chunked, to an HTTP/1.0 client it ends with the connection. To HEAD (or with status 204 or 304) only the head
 * is sent: pieces are dropped, and the stream should be ended at once. *stream is copied. */
void http_reply_stream(struct http_request *request, const struct http_stream *stream);
/* Accepts a piece; pieces that are accepted together leave together. There is no limit: see http_stream_pending. */
void http_stream_copy(struct http_request *request, struct slice bytes);
/* Not copied: the bytes stay where they are until release(arg), once, when they are written or the client is gone. */
void http_stream_shared(struct http_request *request, struct slice bytes, void (*release)(void *arg), void *arg);
/* Bytes accepted, with what frames them, that the socket did not take yet. */
size_t http_stream_pending(const struct http_request *request);
/* The stream is complete: do not touch the request afterwards. What was accepted is still written. */
void http_stream_end(struct http_request *request);
/* The same, and the connection is closed behind it. */
void http_stream_end_and_close(struct http_request *request);

struct http_counts {
    uint64_t connections_accepted;
    uint64_t connections_refused; /* over max_connections */
    uint64_t connections_open;
    uint64_t requests;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t protocol_errors;
    uint64_t timeouts;     /* of a request to arrive and of a reply to be read; idle connections do not count */
    uint64_t streams_open; /* replies by http_reply_stream that were not ended */
};
void http_server_counts(const struct http_server *server, struct http_counts *counts);

#endif
