/* One request that brings events, under way. Private to server/ingest*.c. */
#ifndef NOF0_SERVER_INGEST_REQUEST_H
#define NOF0_SERVER_INGEST_REQUEST_H

#include "server/ingest.h"

enum {
    INGEST_INLINE = 16 * 1024,      /* a text that is read on the loop */
    INGEST_CHUNK = 256 * 1024,      /* of newline-delimited JSON in one batch */
    INGEST_READ_AHEAD = 512 * 1024, /* bytes that wait; then the client is held back */
    INGEST_PENDING = 1 << 20,       /* of the answer, not read by the client; then nothing more is taken in */
    INGEST_RETRY_MS = 20,           /* when the lanes have no room */
};

/* Some items on their way: text that is read, then a batch that is stored. */
struct ingest_piece {
    struct buf text;
    struct event_batch *batch;
    uint64_t *lines; /* of its items; newline-delimited only */
    size_t lines_room;
};

struct ingest {
    struct ingest_door *door;
    struct http_request *request;
    enum event_kind kind;
    bool by_line; /* newline-delimited */
    bool atomic;
    struct buf in; /* came, */
    size_t in_at;  /* and is taken up to here */
    bool ended;    /* the whole body is there */
    bool paused;
    bool gone;              /* the client is away */
    bool streaming;         /* the answer has begun */
    unsigned status;        /* of an answer line by line */
    const char *abort_code; /* the body cannot go on; NULL: it can */
    const char *abort_reason;

    /* One piece is read while another is stored. */
    struct ingest_piece pieces[2];
    bool reading;     /* pieces[0] */
    bool storing;     /* pieces[1] */
    bool ready;       /* pieces[0] is read and waits for its turn */
    struct err fault; /* a JSON body that cannot be taken apart */
    int64_t version;
    struct err err;      /* pieces[1] could not be stored */
    struct event *retry; /* tries to hand it to the lanes again; NULL: not made */

    uint64_t line;     /* the last one that was read */
    uint64_t answered; /* the last one that an answer speaks of */
    struct event_counts counts;
};

static inline struct slice ingest_waiting(const struct ingest *ingest)
{
    size_t n = ingest->in.len - ingest->in_at;
    return n ? (struct slice){ingest->in.data + ingest->in_at, n} : (struct slice){NULL, 0}; /* nothing came: no data */
}

/* ingest.c */
/* Has the text of pieces[0] read, then stored. May end the request and free it. */
void ingest_begin_piece(struct ingest *ingest);
/* Has what is ready stored; nothing may be storing. */
void ingest_store_ready(struct ingest *ingest);
/* Frees it; the request was answered. */
void ingest_free(struct ingest *ingest);
void ingest_fail(struct ingest *ingest, unsigned status, const char *code, const char *message);

/* ingest_lines.c: newline-delimited bodies */
/* Goes on as far as it can. May end the request and free it. */
void ingest_lines_go_on(struct ingest *ingest);
/* Reads the lines of pieces[0] into its batch; on any thread. */
void ingest_lines_read(struct ingest *ingest);
/* pieces[1] was stored or not. */
void ingest_lines_stored(struct ingest *ingest);
/* The body cannot go on; what is on its way is told first. Both texts live for ever. */
void ingest_lines_abort(struct ingest *ingest, unsigned status, const char *code, const char *reason);

#endif
