/* Which elements of two arrays belong together, and which of them stand elsewhere. For elements that are told apart by
 * an identity. */
#ifndef NOF0_PARITY_ALIGN_H
#define NOF0_PARITY_ALIGN_H

#include "parity/identity.h"

#define PARITY_NOBODY UINT32_MAX

struct parity_entry {
    struct slice text;
    uint32_t group;   /* those of either side that have this identity */
    uint32_t next;    /* the next of the group on the same side */
    uint32_t partner; /* its index on the other side, or PARITY_NOBODY */
    bool moved;       /* has a partner, and is not among the longest row of elements whose order is the same */
};

struct parity_group {
    uint64_t hash;
    uint32_t first[2]; /* by side, left and right */
    uint32_t count[2];
    bool elsewhere; /* an element before those given has this identity too */
    bool nameless;  /* they have none */
};

struct parity_align {
    const struct parity_identity_keys *keys;
    uint64_t seed;
    struct parity_entry *entries[2]; /* owned, by side */
    uint32_t count[2];
    uint32_t capacity[2];
    struct parity_group *groups; /* owned */
    uint32_t group_count;
    uint32_t *slots; /* owned: index of a group + 1; 0 is free */
    uint32_t mask;
};

void parity_align_init(struct parity_align *align, const struct parity_identity_keys *keys, uint64_t seed);
void parity_align_free(struct parity_align *align);

/* Adds an element to a side (0 left, 1 right), in order. False when there are four billion already. */
bool parity_align_add(struct parity_align *align, int side, struct slice text) MUST_CHECK;

/* Finds partners: the first with the first of one identity, the second with the second. Where one side has more of
 * them, those that stand in line with the rest. */
void parity_align_match(struct parity_align *align);

/* Some have no partner. */
bool parity_align_any_alone(const struct parity_align *align);

/* Says that an element with that identity stands before those given. */
void parity_align_note_before(struct parity_align *align, const char *p, const char *end);

/* Whether an element without a partner is one too many of its identity, not the only one. */
bool parity_align_is_surplus(const struct parity_align *align, const struct parity_entry *entry);

#endif
