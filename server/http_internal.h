/* What the files of the HTTP layer share. Nobody else includes it.
 *
 *   http_server.c   accepts, counts, drains
 *   http_conn.c     one connection: events, timers, its end
 *   http_input.c    bytes in -> requests -> the handler
 *   http_receive.c  bodies that are handed over piece by piece
 *   http_reply.c    what the handler says -> a reply's head and parts
 *   http_stream.c   replies that are made piece by piece
 *   http_output.c   replies in order -> the socket
 *   http_request.c  requests: pool and accessors
 *
 * A connection's requests stand in a queue in the order in which they came; replies leave in that order. A connection
 * whose socket is gone stays until the handler has answered each request of it. All work on a connection is done by
 * http_conn_work; http_reply_send only notes that there is some, so that neither the handler nor a release() is ever
 * called from inside http_reply_send, and replies that are ready together leave together. The functions for streams do
 * the same.
 *
 * A request whose body is streamed stands in the queue from its head on, as the last, and is conn->receiving until the
 * body has ended; a reply that is a stream leaves its place when it was ended and written. */
#ifndef NOF0_SERVER_HTTP_INTERNAL_H
#define NOF0_SERVER_HTTP_INTERNAL_H

#include "base/buf.h"
#include "server/http.h"
#include "server/http_chunk.h"
#include "server/http_parse.h"
#include "server/http_timers.h"

#include <netinet/in.h>
#include <sys/queue.h>
#include <sys/uio.h>

enum {
    HTTP_SCRATCH = 64 * 1024,    /* bytes read at once */
    HTTP_PIPELINE = 32,          /* requests of a connection that may wait for their replies; then reading stops */
    HTTP_POOL = 128,             /* unused requests kept for reuse */
    HTTP_ARENA = 4096,           /* first chunk of a request's arena */
    HTTP_LINGER_MS = 2000,       /* how long a closed connection is read from, so that the last reply arrives */
    HTTP_LINGER_BYTES = 1 << 20, /* and how much */
    HTTP_ID_SIZE = 65,
    HTTP_DATE_LINE = 40,
};

struct conn;
struct http_intake; /* http_receive.c */
struct http_outlet; /* http_stream.c */

struct http_part {
    struct slice bytes;         /* of a file only n */
    int fd;                     /* the file, or -1 */
    void (*release)(void *arg); /* NULL: nothing to give back */
    void *arg;
};

struct http_request {
    STAILQ_ENTRY(http_request) next; /* in its connection's queue or the pool */
    struct conn *conn;
    struct arena *arena;
    int64_t started_us;

    const char *bytes; /* the head's, in the arena */
    struct buf body;
    struct http_chunks chunks;
    struct http_intake *intake; /* of a streamed body, in the arena; else NULL */
    char id[HTTP_ID_SIZE];

    /* The reply. */
    struct http_outlet *outlet; /* of a stream, else NULL */
    unsigned status;
    bool replied; /* of a stream: ended */
    bool close;   /* afterwards */
    bool head_built;
    bool drops_body; /* HEAD, 204, 304 */
    unsigned part_count;
    struct slice head_bytes; /* of the reply, in the arena */
    struct http_part parts[HTTP_REPLY_PARTS];
    struct slice ready_head; /* the handler's, made before; in the arena with room behind it */
    char *headers;           /* the handler's own lines, in the arena */
    size_t headers_size;
    size_t headers_room;
    size_t sent; /* of head_bytes and parts */

    struct http_head head; /* last: its array is large and mostly untouched */
};

STAILQ_HEAD(http_requests, http_request);

enum http_reading { HTTP_READ_HEAD, HTTP_READ_BODY, HTTP_READ_CHUNKS };

struct conn {
    LIST_ENTRY(conn) all;
    TAILQ_ENTRY(conn) ready;
    struct http_server *server;
    int fd; /* -1 once closed */
    unsigned queued;
    struct http_requests queue;
    struct http_request *reading;   /* began, not complete; NULL between requests */
    struct http_request *receiving; /* in the queue, its streamed body has not ended; `reading` is NULL then */
    struct buf in;                  /* read, not used yet; no memory while empty */
    struct slice unread;            /* what of `in` or of the scratch is not used yet, while at work */
    int64_t read_us;                /* of the last read */
    struct event read_event;
    struct event write_event;
    struct http_timer read_timer;  /* header, idle or linger */
    struct http_timer write_timer; /* write */
    union {
        struct in_addr v4;
        struct in6_addr v6;
    } peer;
    uint8_t peer_family;
    uint8_t phase;    /* enum http_reading */
    bool at_work;     /* takes requests; writing follows */
    bool is_ready;    /* stands in the server's list of connections with work */
    bool reads;       /* read_event is on */
    bool watches;     /* but only to see the client leave */
    bool writes;      /* write_event is on */
    bool blocked;     /* the socket takes no more now */
    bool held;        /* small segments wait until they are pushed */
    bool yields;      /* blocked by choice: others get their turn first */
    bool peer_closed; /* the end of the stream was announced; it stands behind what is not read yet */
    bool restart;     /* a request began since the read timer was set */
    bool last;        /* no request is taken any more */
    bool closes;      /* the last reply is sent */
    bool progressed;  /* bytes were written since the write timer was set */
    bool discarded;   /* input was or may be left unread: linger before the close */
    bool lingers;     /* all is sent; reads and drops what still comes */
    bool eof;         /* the client will send no more */
    uint32_t lingered;
    uint32_t streams; /* of its replies, open ones */
};

TAILQ_HEAD(http_ready, conn);

struct http_server {
    struct event_base *base;
    struct http_limits limits;
    http_handler *handler;
    void *arg;
    bool (*streams)(void *arg, const struct http_request *request); /* NULL: bodies come whole */
    void *streams_arg;

    int listen_fd;
    struct event accept_event;
    struct event accept_retry; /* accepting pauses while descriptors are short */
    bool accept_paused;

    LIST_HEAD(, conn) conns;
    struct http_ready ready;
    struct event ready_event;
    struct http_timers timers;
    struct http_requests pool;
    unsigned pooled;

    bool draining;
    bool drain_told;
    void (*drained)(void *arg);
    void *drained_arg;
    struct event drained_event;

    struct http_counts counts;
    uint64_t id_state;
    int64_t date_s;
    char date_line[HTTP_DATE_LINE]; /* "Date: ...\r\n" */
    size_t date_size;
    char scratch[HTTP_SCRATCH];
};

/* http_conn.c */
struct conn *http_conn_start(struct http_server *server, int fd, const struct sockaddr_storage *peer);
/* Moves the connection on: takes requests from what was read (`fresh` has just come), sends what is ready, then sets
 * events and timers or closes. May free the connection. */
void http_conn_work(struct conn *conn, struct slice fresh);
/* Closes the socket now. The connection itself goes at the end of its work, when no request needs it. */
void http_conn_drop(struct conn *conn);
/* Frees it with all its requests, answered or not. */
void http_conn_free(struct conn *conn);
/* Work is waiting: it will be done from the loop. */
void http_conn_ready(struct conn *conn);
/* Puts a reply of this layer's own into the queue before another's place. */
void http_conn_insert(struct conn *conn, struct http_request *request, struct http_request *before);
/* Answers with an error document and closes afterwards; `reading` becomes that reply when it began. */
void http_conn_refuse(struct conn *conn, unsigned status, const char *reason);
void http_conn_timer_ended(void *arg, struct http_timer *timer, enum http_timer_kind kind);
bool http_conn_may_take(const struct conn *conn);

/* http_input.c */
/* Uses conn->unread up as far as it may. */
void http_input_take(struct conn *conn);
void http_input_use(struct conn *conn, size_t n);

/* http_receive.c */
/* The head of conn->reading is complete, and its body is to be streamed: the handler's turn. */
void http_receive_begin(struct conn *conn);
bool http_receive_may_take(const struct conn *conn);
/* Whether the end of the body is to be told, though nothing is unread. */
bool http_receive_is_due(const struct conn *conn);
/* Hands over what is unread as far as it belongs to the body. */
void http_receive_take(struct conn *conn);
/* Tells the handler when the rest will never come. */
void http_receive_check(struct conn *conn);
void http_receive_timed_out(struct conn *conn);
/* The request was replied to: what remains of its body is nobody's. */
void http_receive_forget(struct http_request *request);

/* http_output.c */
/* Takes the requests out of the queue that are answered; their replies are not sent. */
void http_output_forget(struct conn *conn);
/* Writes replies that are ready, in order. True when some request left the queue. */
bool http_output_write(struct conn *conn);

/* http_reply.c */
void http_reply_build_head(struct http_request *request);
void http_reply_error(struct http_request *request, unsigned status, const char *reason);
void http_reply_interim(struct http_request *request);
/* A caller that breaks the contract would write over memory: better to end here, in every build. */
void http_must(bool truth, const char *what);

/* http_stream.c */
/* The parts of an open or ended stream's body that are next, without the head. */
int http_stream_fill(const struct http_request *request, struct iovec *pieces, int room);
/* The socket took n bytes; releases what is done. Returns how many of them were of this stream. */
size_t http_stream_took(struct http_request *request, size_t n);
bool http_stream_is_chunked(const struct http_request *request);
/* Whether it was ended and everything behind the head is written. */
bool http_stream_is_over(const struct http_request *request);
/* Calls what is due of the connection's streams. */
void http_stream_tell(struct conn *conn);
/* Releases and frees. */
void http_stream_free(struct http_request *request);

/* http_request.c */
struct http_request *http_request_take(struct conn *conn);
/* Calls each release and gives the request back to the pool. */
void http_request_done(struct http_request *request);
void http_requests_free(struct http_requests *requests);
/* Sets the id from the client's header, which the head has when `has_head`, or makes one. */
void http_request_set_id(struct http_request *request, bool has_head);

/* http_server.c */
void http_server_conn_gone(struct http_server *server);

#endif
