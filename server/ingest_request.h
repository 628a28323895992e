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

struct ingest {
    struct ingest_door *door;
    struct http_request *request;
    enum event_kind kind;
    bool by_line; /* newline-delimited */
    bool atomic;
    struct buf in; /* came, not taken yet */
    bool ended;    /* the whole body is there */
    bool paused;
    bool gone;              /* the client is away */
    bool streaming;         /* the answer has begun */
    unsigned status;        /* of an answer line by line */
    const char *abort_code; /* the body cannot go on; NULL: it can */
    const char *abort_reason;

    /* The batch under way. */
    bool busy;
    struct buf text;
    struct event_batch *batch;
    uint64_t *lines;  /* of its items */
    struct err fault; /* a JSON body that cannot be taken apart */
    int64_t version;
    struct err err;      /* it could not be stored */
    struct event *retry; /* tries to hand it to the lanes again; NULL: not made */

    uint64_t line; /* the last one that was taken */
    struct event_counts counts;
};

/* ingest.c */
/* Hands the text over to be read and stored. */
void ingest_begin_batch(struct ingest *ingest);
/* Frees it; the request was answered. */
void ingest_free(struct ingest *ingest);
void ingest_fail(struct ingest *ingest, unsigned status, const char *code, const char *message);

/* ingest_lines.c: newline-delimited bodies */
/* Goes on as far as it can. May end the request and free it. */
void ingest_lines_go_on(struct ingest *ingest);
/* Reads the text's lines into the batch; on any thread. */
void ingest_lines_read(struct ingest *ingest);
/* The batch was stored or not. */
void ingest_lines_stored(struct ingest *ingest);
/* The body cannot go on; what is on its way is told first. Both texts live for ever. */
void ingest_lines_abort(struct ingest *ingest, unsigned status, const char *code, const char *reason);

#endif
