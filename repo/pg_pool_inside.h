/* The inside of the pool, shared by pg_pool.c (which batch goes where, and when), pg_pool_link.c (one connection) and
 * pg_pool_batch.c (one batch). Nobody else includes this. */
#ifndef NOF0_REPO_PG_POOL_INSIDE_H
#define NOF0_REPO_PG_POOL_INSIDE_H

#include "base/arena.h"
#include "repo/pg_pool.h"

#include <event2/event_struct.h>
#include <sys/queue.h>

enum {
    BACKOFF_FIRST_MS = 50,
    BACKOFF_LAST_MS = 500,
    PROBE_MS = 250,      /* a suspect connection must answer within */
    PROVEN_MS = 200,     /* a connection heard from so lately is not suspect */
    SETUP_MS = 2000,     /* a new connection must answer its first question within */
    YOUNG_MS = 1000,     /* a connection that breaks sooner counts as a failure to connect */
    BATCH_SENDS_MAX = 3, /* how often a batch is sent at most */
};

/* What libpq owes for a batch, in order, before the sync point. */
enum step_kind { STEP_PREPARE_ISOLATION, STEP_ISOLATION, STEP_SETUP, STEP_PREPARE, STEP_RUN };
struct step {
    enum step_kind kind;
    unsigned query;
};

/* A batch is in exactly one list: the pool's waiting, a link's flying, or the pool's ended. */
struct pg_batch {
    TAILQ_ENTRY(pg_batch) entry;
    struct arena *arena; /* holds the batch itself */
    struct pg_pool *pool;
    struct pg_link *link;  /* while flying */
    struct event deadline; /* not for a question of the pool's own */
    int64_t timeout_ms;
    unsigned sends;
    bool plain; /* without named statements */
    bool stale; /* a named statement was not what the server has */
    size_t count;
    struct pg_query *queries;
    struct step steps[2 * PG_BATCH_MAX + 2];
    size_t step_count;
    size_t step_at;
    PGresult *results[PG_BATCH_MAX];
    struct err err;      /* code is ERR_NONE while all is well */
    pg_batch_done *done; /* NULL: a question of the pool's own, to hear whether the connection lives */
    void *arg;
};
TAILQ_HEAD(batch_list, pg_batch);

enum link_state {
    LINK_EMPTY,   /* no connection */
    LINK_ASKED,   /* the connector works on it */
    LINK_NEW,     /* connected, has not answered yet */
    LINK_READY,   /* usable */
    LINK_SUSPECT, /* must answer before it is used again */
};

struct pg_link {
    struct pg_pool *pool;
    enum link_state state;
    bool retiring; /* takes no new batches and is closed when its last has ended */
    PGconn *conn;  /* from LINK_NEW on */
    struct event readable;
    struct event writable;
    struct event probe; /* running while NEW, or SUSPECT with a question under way */
    int64_t born_ms;
    int64_t heard_ms;
    struct batch_list flying;
    size_t flying_count;
    bool isolation_prepared;
    bool *prepared; /* by slot */
    size_t prepared_room;
};

struct pg_pool {
    struct event_base *base;
    struct pg_port *port;
    struct pg_pool_config config;
    struct pg_link *links; /* config.connections of them */
    struct batch_list waiting;
    struct batch_list ended;
    size_t waiting_count;
    struct event *deliver; /* tells ended batches that no event of a link will tell */
    bool delivering;
    bool closing;
    struct event *retry;    /* connects one link */
    struct event *patience; /* waiting batches fail when it fires */
    int64_t patient_until_ms;
    unsigned failures; /* to get a working connection, in a row */
    unsigned seed;     /* of the jitter */
    enum pg_pool_status status;
    int64_t since_wall_ms;
    struct err last_error;
};

/* --- pg_pool_batch.c --- */

/* Copies queries and parameters. */
struct pg_batch *pg_batch_new(struct pg_pool *pool, const struct pg_query *queries, size_t count);
/* Clears results that nobody took. The batch is in no list and its timer is off. */
void pg_batch_free(struct pg_batch *batch);
/* Forgets what a first sending brought. */
void pg_batch_rewind(struct pg_batch *batch);
/* Puts the batch's messages and a sync point into the connection's buffer. False: the connection is of no use. */
bool pg_batch_send(struct pg_batch *batch, struct pg_link *link);
/* Takes one result that belongs to the batch (and owns it). True when it was the sync point: the batch is complete. */
bool pg_batch_take(struct pg_batch *batch, struct pg_link *link, PGresult *result);
/* libpq has said all about the current step. */
void pg_batch_step_over(struct pg_batch *batch);

/* --- pg_pool_link.c --- */

bool pg_link_open(struct pg_link *link, PGconn *conn);
/* Sends the batch. When the connection turns out to be broken, the link is lost, with the batch on it. */
void pg_link_send(struct pg_link *link, struct pg_batch *batch);
/* Asks the server for a sign of life, within `limit_ms`. */
void pg_link_probe(struct pg_link *link, int limit_ms);
/* Closes the connection; what was flying on it is moved to `orphans`. */
void pg_link_close(struct pg_link *link, struct batch_list *orphans);

/* --- pg_pool.c: what a link tells the pool --- */

/* Bytes came in. */
void pg_pool_heard(struct pg_link *link);
/* Nothing is flying on the link any more. */
void pg_pool_idle(struct pg_link *link);
/* A batch of the link came to its sync point; it is in no list. */
void pg_pool_completed(struct pg_link *link, struct pg_batch *batch);
/* The connection broke, or did not answer a probe. */
void pg_pool_lost(struct pg_link *link, const struct err *err);
/* To be called at the end of every event of a link: tells ended batches. */
void pg_pool_settle(struct pg_pool *pool);

#endif
