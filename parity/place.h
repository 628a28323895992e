/* Which rules speak of a place. The rules are read once; on the way down, a set says which of them the keys so far
 * agree with. */
#ifndef NOF0_PARITY_PLACE_H
#define NOF0_PARITY_PLACE_H

#include "base/json_read.h"
#include "parity/compare.h"

enum { PARITY_RULES_MAX = 32, PARITY_SEGMENTS_MAX = 12 };

/* A set of rules, a bit each, in their order. */
typedef uint32_t parity_rule_set;

struct parity_place_rule {
    const struct parity_rule *rule;
    unsigned segments;
    /* "[]" for elements, "*" for every member, else a key */
    struct slice segment[PARITY_SEGMENTS_MAX];
};

struct parity_places {
    unsigned count;
    parity_rule_set all, ignore, identity, near;
    parity_rule_set ends_at[JSON_MAX_DEPTH + 1]; /* those that speak of places so deep */
    struct parity_place_rule rules[PARITY_RULES_MAX];
};

/* False with *err (ERR_INTERNAL) when a rule's place cannot be read, or when there are too many. */
bool parity_places_read(struct parity_places *places, const struct parity_rule *rules, struct err *err) MUST_CHECK;

/* Of `set`, which agrees with a place `depth` deep (the document: 0), those that also agree with what lies in it: with
 * every element, or with the member `key` (between its quotes). */
parity_rule_set parity_places_element(const struct parity_places *places, parity_rule_set set, int depth);
parity_rule_set parity_places_member(const struct parity_places *places, parity_rule_set set, int depth,
                                     struct slice key);

/* The first rule of `set`, NULL when it is empty. */
const struct parity_rule *parity_places_first(const struct parity_places *places, parity_rule_set set);

#endif
