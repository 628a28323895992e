/* What the comparison knows on its way through the two texts; for parity/compare*.c alone. */
#ifndef NOF0_PARITY_COMPARE_INSIDE_H
#define NOF0_PARITY_COMPARE_INSIDE_H

#include "parity/align.h"
#include "parity/compare.h"
#include "parity/place.h"
#include "parity/scan.h"

enum parity_side { LEFT, RIGHT };

/* Where the two are. */
struct pair {
    const char *at[2];
};

enum walk {
    WALK_ON,
    WALK_SAME, /* from here to the end of both ranges everything is equal, so nothing of it needs a look */
    WALK_STOP, /* a text is not good JSON; or, while probing, a difference was found */
};

/* An object or array that is open. */
struct frame {
    parity_rule_set rules; /* that agree with the member or element */
    struct slice key;      /* of the member, between its quotes; p is NULL for an element */
    struct slice element;  /* where the element begins, and as far as it may reach; p is NULL when its index names it */
    const struct parity_identity_keys *identity; /* of the array's elements, or NULL */
    size_t index;
    size_t path_start; /* of its part in the path */
};

/* A member of the right object whose place in the left one must be looked for. */
struct member {
    struct slice key, value;
    uint64_t hash;
    bool met;
};

struct walker {
    struct slice text[2];
    const char *end[2]; /* of the ranges that are compared now: the texts, or an element of each */

    struct pair run; /* from here, so many bytes are equal; NULL: not known yet */
    size_t run_length;
    /* What stood open at the end of equal bytes that were stepped over; level[met] is the next of them to be met. */
    struct parity_levels levels;
    int levels_met;

    struct parity_places places;
    struct parity_identity_keys identities[PARITY_RULES_MAX]; /* of those rules that are PARITY_IDENTITY */
    uint64_t seed;

    struct frame frames[JSON_MAX_DEPTH];
    int depth;
    struct buf path;
    int path_depth; /* so many frames stand in path */

    struct member *members; /* of the right objects that are being looked through, the innermost last; owned */
    size_t member_count, member_capacity;

    bool probing; /* the first difference ends it and is not told */
    bool silent;  /* nobody wants to hear more */
    parity_difference_fn *on_difference;
    void *arg;
    struct parity_counts *counts;
    struct err *err;
};

/* Both at the beginning of a value; afterwards behind it. */
enum walk parity_walk_value(struct walker *w, struct pair *pair);

/* Two values that lie where these slices say. */
enum walk parity_walk_ranges(struct walker *w, struct slice left, struct slice right);

/* Whether they are equal by the rules of this place. Nothing is told of it. */
bool parity_walk_probe(struct walker *w, struct slice left, struct slice right);

/* Both at the opening bracket. `identity` tells the array's elements apart; NULL: only their places do. */
enum walk parity_walk_array(struct walker *w, struct pair *pair, const struct parity_identity_keys *identity);
enum walk parity_walk_object(struct walker *w, struct pair *pair);

/* A member or an element is compared. Steps over commas; *ended: both containers end here (by `bracket`) and are
 * behind. *apart: only one of them ends, and is at its bracket. */
enum walk parity_walk_take_commas(struct walker *w, struct pair *pair, char bracket, bool *ended, bool *apart);

/* Steps over elements or members that are equal byte for byte, both at the beginning of one in an open container that
 * opened at `open` on the left. *ended: both are behind its end. *count grows by those stepped over. */
enum walk parity_walk_jump(struct walker *w, struct pair *pair, const char *open, size_t *count, bool *ended);

/* Opens a container: its members and elements lie in a frame. WALK_STOP when too many are open. */
enum walk parity_walk_enter(struct walker *w, struct pair *pair, const struct parity_identity_keys *identity);
void parity_walk_leave(struct walker *w);
/* Says which of them is compared. */
void parity_walk_at_member(struct walker *w, struct slice key);
void parity_walk_at_element(struct walker *w, size_t index, struct slice element);

/* Tells of a difference at this place, unless it is ignored. */
enum walk parity_walk_differ(struct walker *w, enum parity_class class, struct slice left, struct slice right);

/* A text is not good JSON. */
enum walk parity_walk_bad(struct walker *w, enum parity_side side, const char *at, const char *what);

/* The byte there, NUL at the end of the range. */
static inline char parity_walk_peek(const struct walker *w, enum parity_side side, const struct pair *pair)
{
    return pair->at[side] < w->end[side] ? *pair->at[side] : '\0';
}

static inline void parity_walk_skip_space(const struct walker *w, struct pair *pair)
{
    pair->at[LEFT] = json_skip_space(pair->at[LEFT], w->end[LEFT]);
    pair->at[RIGHT] = json_skip_space(pair->at[RIGHT], w->end[RIGHT]);
}

#endif
