/* What the files of the differ share. Private to ingest. */
#ifndef NOF0_INGEST_CAPTURE_DIFF_INSIDE_H
#define NOF0_INGEST_CAPTURE_DIFF_INSIDE_H

#include "ingest/capture_diff.h"
#include "ingest/once.h"

struct diffing {
    const struct capture_diff *diff;
    struct capture_document before;
    struct capture_document now;
    struct buf *beyond;
    struct buf path; /* of the item at hand */
};

/* Gives the item at diffing->path out. */
void diff_emit(struct diffing *diffing, enum event_kind kind, struct slice item);
/* No event can say this. The first reason is kept. */
void diff_beyond(struct diffing *diffing, const char *what);

/* diffing->path is the row's. */
void diff_at(struct diffing *diffing, size_t index);
/* Appends when what `now` says was so: "timestamp":1761605821.5. False, with a word to diff_beyond, when that is no
 * later than what `before` says, so that it could not win. */
bool diff_put_timestamp(struct diffing *diffing, struct buf *members);
/* True when the slice lies in `before`. */
bool diff_is_before(const struct diffing *diffing, struct slice text);

/* Appends an object with these members (without braces; may be empty) and then those of `object`. */
void diff_put_object(struct buf *out, const struct buf *members, struct slice object);
/* Whether the object has a member of one of the names, which NULL ends. */
bool diff_has_any(struct slice object, const char *const *keys);

void diff_positions(struct diffing *diffing);

#endif
