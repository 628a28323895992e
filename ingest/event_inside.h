/* What the files of events share. Private to ingest.
 *
 *   event_fields.c   what an item of each kind looks like
 *   event_batch.c    items and outcomes
 *   event_read.c     JSON -> rows, each item alone
 *   event_writer.c   transactions: locks, the kinds' stores in turn, the outbox row, the commit
 *   event_store_*.c  what is stored of the items of one kind: told apart, compared, put into the feed
 *   feed_place.c     a place for new rows between those of a feed */
#ifndef NOF0_INGEST_EVENT_INSIDE_H
#define NOF0_INGEST_EVENT_INSIDE_H

#include "base/arena.h"
#include "ingest/event.h"
#include "ingest/wire_check.h"
#include "repo/table.h"

/* Members of an item that stand beside the row's own. */
struct event_beside {
    struct col_f64 timestamp; /* seconds */
    struct col_f64 exit_price;
    struct col_f64 exit_time; /* seconds */
    struct col_f64 volume;
    struct col_f64 last_decision_at; /* seconds */
    struct col_f64 pause_until;      /* seconds */
    struct col_f64 updated_at;       /* seconds */
    struct slice id;
    struct slice model_id;
    struct slice provider;
    struct slice exchange_provider;
    struct slice status;
    struct slice conversation_id;
    struct slice topic;
};

struct event_extra {
    const char *key;
    size_t offset; /* in struct event_beside */
    const char *doc;
    enum { EXTRA_TEXT, EXTRA_NUMBER } type;
    bool required;
};

/* What the value of a member must be like beyond its type, where there is one. */
enum event_rule_kind {
    RULE_KEY,          /* a text that is not empty, of WIRE_KEY_MAX bytes at most */
    RULE_SECONDS,      /* an instant that can be cut to milliseconds */
    RULE_TIMESTAMPTZ,  /* an instant that Postgres can hold */
    RULE_POSITIVE,     /* over 0 */
    RULE_NOT_NEGATIVE, /* 0 or over */
    RULE_STATUS,       /* one of event_statuses */
};

struct event_rule {
    const char *key;
    enum event_rule_kind kind;
};

/* What an item, or an object in one, looks like: members of the shape, and these beside it. It is read by this, and its
 * JSON Schema is made from this. */
struct event_form {
    const struct wire_shape *shape; /* NULL: all of it stands beside */
    const struct event_extra *extras;
    size_t extra_count;
    const char *const *beside;        /* the keys of extras, and others that are read by hand; ended by NULL */
    const char *const *also_required; /* members that the shape does not require, but an event does; ended by NULL */
    const char *const *objects;       /* members that are objects, or null, or absent; ended by NULL */
    const struct event_rule *rules;   /* ended by key == NULL */
};

extern const struct event_form event_form_total; /* an account total, also beside a trade */
extern const struct event_form event_form_cycle;
extern const char *const event_statuses[]; /* of a position: "open" comes first; ended by NULL */

/* Of conversations: those with messages. */
const struct event_form *event_form_of(enum event_kind kind);

struct event {
    struct event_outcome outcome;
    struct event_batch *batch; /* whose arena its texts are in */
    void *row;                 /* of the kind's table (conversations: see is_cycle); NULL when it could not be read */
    struct event_beside beside;
    double as_of;                                 /* kinds of which the newest wins: when it was true */
    struct account_equity_snapshots_row *account; /* trades: what came with it; NULL: nothing */
    bool is_cycle;                                /* conversations: decision_cycles_row, else conversations_row */
    struct slice opening;                         /* of a conversation: wire_opening_digest */
    struct conversation_messages_row *messages;
    size_t message_count;
};

struct event_batch {
    enum event_kind kind;
    char *prices_provider;
    bool atomic;
    struct arena *arena;
    struct event *events;
    size_t count;
    size_t room;
};

/* Fills an event of the batch's kind from an object that json_check found good; faults make it a rejected one. */
void event_read(struct event_batch *batch, struct event *event, const cJSON *object);

/* Rejects it, unless it is already. `path` and `reason` are copied. */
void event_reject(struct event *event, const char *code, const char *path, const char *reason);

static inline bool event_is_open(const struct event *event)
{
    return event->outcome.status == EVENT_PENDING;
}

#endif
