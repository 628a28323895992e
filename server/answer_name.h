/* The name under which an answer is kept: endpoint and parameters, written in one way only, so that two spellings of
 * one question share an answer. And the room in which it is kept. */
#ifndef NOF0_SERVER_ANSWER_NAME_H
#define NOF0_SERVER_ANSWER_NAME_H

#include "base/arena.h"
#include "cache/keys.h"
#include "repo/read_query.h"

/* Rooms, each bounded for itself: what one client can ask for without end must not push out what everybody asks for. */
enum answer_room {
    ANSWER_WHOLE,   /* a question without parameters, or the analytics of a model: as many as the data have */
    ANSWER_PART,    /* a question with parameters: without end. Kept in memory only */
    ANSWER_UNKNOWN, /* the analytics of a model that nobody knows: without end. Kept in memory only */
    ANSWER_ROOMS
};

struct answer_name {
    struct slice text;     /* in the arena */
    enum answer_room room; /* ANSWER_WHOLE for every analytics of one model */
    enum cache_feed feed;
};

struct answer_name answer_name_of(const struct read_query *query, struct arena *arena);

/* The feed whose changes change the answers of this kind. */
enum cache_feed answer_feed(enum read_kind kind);

#endif
