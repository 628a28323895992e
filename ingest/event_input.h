/* Items from a file or a pipe of any length, one after the other, in the memory of a few of them. What it is follows
 * from its content: an array when a bracket comes first; one object, also over several lines, when its first line alone
 * is no JSON and all of it is; else a line is an item. */
#ifndef NOF0_INGEST_EVENT_INPUT_H
#define NOF0_INGEST_EVENT_INPUT_H

#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

struct event_input;

/* fd stays the caller's. most_bytes: of an item. */
struct event_input *event_input_new(int fd, size_t most_bytes);
void event_input_free(struct event_input *input);

enum event_input_step {
    EVENT_INPUT_ITEM,
    EVENT_INPUT_IDLE,   /* nothing more is there for now: a good moment to store what came; the next call waits */
    EVENT_INPUT_SIGNAL, /* a signal came while it waited; calling again goes on */
    EVENT_INPUT_END,
    EVENT_INPUT_FAULT, /* ERR_INVALID: an array that cannot be taken apart; ERR_LIMIT: an item is too long; ERR_IO */
};

struct event_input_item {
    struct slice text; /* without blanks around it; until the next call */
    uint64_t number;   /* of its line, from 1; in an array its index, from 0 */
    uint64_t start;    /* how many bytes of the input stand before it */
    uint64_t end;      /* how many bytes of the input go up to its end, a line's end included */
    bool unfinished;   /* a last line without its end, which may still grow */
};

enum event_input_step event_input_next(struct event_input *input, struct event_input_item *item, struct err *err);

/* Whether items are lines, once there was one. */
bool event_input_is_lines(const struct event_input *input);
/* How many bytes were read. */
uint64_t event_input_read(const struct event_input *input);

#endif
