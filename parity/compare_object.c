/* Objects: member by member while both have the same keys in the same order, and by an index of the right one's keys
 * from where they do not. */
#include "base/mem.h"
#include "parity/compare_inside.h"
#include "parity/text.h"

#include <stdlib.h>

/* Up to so many members, looking at all of them is faster than a table. */
enum { LOOK_AT_ALL = 12 };

static const struct slice absent = {NULL, 0};

/* -- By index ----------------------------------------------------------------------------------------------------- */

struct rest {
    struct walker *w;
    size_t first; /* of its members in the walker's stack */
    size_t count;
    size_t next;     /* where the next member is likely to be found */
    uint32_t *slots; /* index + 1 of a member, 0 is free; NULL for few members */
    uint32_t mask;
    enum walk walk;
};

static bool add_right(void *arg, struct slice key, struct slice value)
{
    struct rest *rest = arg;
    struct walker *w = rest->w;
    if (w->member_count == w->member_capacity) {
        w->member_capacity = w->member_capacity ? 2 * w->member_capacity : 64;
        w->members = mem_realloc(w->members, w->member_capacity * sizeof *w->members);
    }
    w->members[w->member_count++] = (struct member){key, value, parity_text_hash(key, w->seed), false};
    rest->count++;
    return rest->count < UINT32_MAX / 4;
}

static void make_table(struct rest *rest)
{
    uint32_t slots = 32;
    while (slots < 2 * rest->count)
        slots *= 2;
    rest->mask = slots - 1;
    rest->slots = mem_calloc(slots, sizeof *rest->slots);
    for (size_t i = 0; i < rest->count; i++) {
        uint32_t at = (uint32_t)rest->w->members[rest->first + i].hash & rest->mask;
        while (rest->slots[at])
            at = (at + 1) & rest->mask;
        rest->slots[at] = (uint32_t)i + 1;
    }
}

static bool is_member(const struct member *member, struct slice key, uint64_t hash)
{
    return !member->met && member->hash == hash && parity_text_equal(member->key, key);
}

/* The place of the right member with this key that was not met yet; count when there is none. */
static size_t find_right(const struct rest *rest, struct slice key)
{
    if (rest->count == 0)
        return 0;
    const struct member *members = rest->w->members + rest->first;
    uint64_t hash = parity_text_hash(key, rest->w->seed);
    if (rest->next < rest->count && is_member(&members[rest->next], key, hash))
        return rest->next;
    if (!rest->slots) {
        size_t i = 0;
        while (i < rest->count && !is_member(&members[i], key, hash))
            i++;
        return i;
    }
    for (uint32_t at = (uint32_t)hash & rest->mask; rest->slots[at]; at = (at + 1) & rest->mask) {
        if (is_member(&members[rest->slots[at] - 1], key, hash))
            return rest->slots[at] - 1;
    }
    return rest->count;
}

static bool is_null(struct slice value)
{
    return value.p[0] == 'n';
}

static bool compare_left(void *arg, struct slice key, struct slice value)
{
    struct rest *rest = arg;
    struct walker *w = rest->w;
    parity_walk_at_member(w, key);
    size_t found = find_right(rest, key);
    if (found == rest->count) {
        rest->walk = parity_walk_differ(w, is_null(value) ? PARITY_NULL_ABSENT : PARITY_MISSING, value, absent);
        return rest->walk != WALK_STOP;
    }
    rest->next = found + 1;
    struct member *member = &w->members[rest->first + found];
    member->met = true;
    rest->walk = parity_walk_ranges(w, value, member->value);
    return rest->walk != WALK_STOP;
}

static enum walk compare_rest(struct rest *rest, struct pair *pair)
{
    struct walker *w = rest->w;
    const char *behind = parity_scan_members(pair->at[RIGHT], w->end[RIGHT], add_right, rest);
    if (!behind)
        return parity_walk_bad(w, RIGHT, pair->at[RIGHT], "an object that does not end well");
    pair->at[RIGHT] = behind;
    if (rest->count > LOOK_AT_ALL)
        make_table(rest);
    behind = parity_scan_members(pair->at[LEFT], w->end[LEFT], compare_left, rest);
    if (rest->walk == WALK_STOP)
        return WALK_STOP;
    if (!behind)
        return parity_walk_bad(w, LEFT, pair->at[LEFT], "an object that does not end well");
    pair->at[LEFT] = behind;
    for (size_t i = 0; i < rest->count; i++) {
        struct member member = w->members[rest->first + i];
        if (member.met)
            continue;
        parity_walk_at_member(w, member.key);
        enum parity_class class = is_null(member.value) ? PARITY_NULL_ABSENT : PARITY_EXTRA;
        if (parity_walk_differ(w, class, absent, member.value) == WALK_STOP)
            return WALK_STOP;
    }
    return WALK_ON;
}

/* Each side is where a member begins, or at its closing brace. Afterwards behind the objects. */
static enum walk walk_rest(struct walker *w, struct pair *pair)
{
    struct rest rest = {.w = w, .first = w->member_count, .walk = WALK_ON};
    enum walk walk = compare_rest(&rest, pair);
    w->member_count = rest.first;
    free(rest.slots);
    return walk;
}

/* -- In lockstep -------------------------------------------------------------------------------------------------- */

/* Takes both keys and colons. *same says whether they are the same key; if not, nothing is taken. */
static enum walk take_keys(struct walker *w, struct pair *pair, struct slice *key, bool *same)
{
    struct pair behind;
    struct slice keys[2];
    for (int side = LEFT; side <= RIGHT; side++) {
        const char *end = parity_walk_peek(w, (enum parity_side)side, pair) == '"'
                              ? json_skip_string(pair->at[side], w->end[side])
                              : NULL;
        if (!end)
            return parity_walk_bad(w, (enum parity_side)side, pair->at[side], "expected a key");
        keys[side] = (struct slice){pair->at[side] + 1, (size_t)(end - pair->at[side]) - 2};
        behind.at[side] = end;
    }
    *same = parity_text_equal(keys[LEFT], keys[RIGHT]);
    if (!*same)
        return WALK_ON;
    parity_walk_skip_space(w, &behind);
    for (int side = LEFT; side <= RIGHT; side++) {
        if (parity_walk_peek(w, (enum parity_side)side, &behind) != ':')
            return parity_walk_bad(w, (enum parity_side)side, behind.at[side], "expected ':'");
        behind.at[side]++;
    }
    parity_walk_skip_space(w, &behind);
    *key = keys[LEFT];
    *pair = behind;
    return WALK_ON;
}

static enum walk walk_members(struct walker *w, struct pair *pair, const char *open)
{
    for (bool first = true;; first = false) {
        bool ended;
        bool apart;
        size_t count = 0;
        enum walk walk = parity_walk_jump(w, pair, open, &count, &ended);
        if (walk != WALK_ON || ended)
            return walk;
        parity_walk_skip_space(w, pair);
        if (first && count == 0) {
            bool left = parity_walk_peek(w, LEFT, pair) == '}';
            bool right = parity_walk_peek(w, RIGHT, pair) == '}';
            if (left && right) {
                pair->at[LEFT]++;
                pair->at[RIGHT]++;
                return WALK_ON;
            }
            if (left || right)
                return walk_rest(w, pair);
        }
        struct slice key = {NULL, 0};
        bool same = false;
        if (take_keys(w, pair, &key, &same) == WALK_STOP)
            return WALK_STOP;
        if (!same)
            return walk_rest(w, pair);
        parity_walk_at_member(w, key);
        walk = parity_walk_value(w, pair);
        if (walk != WALK_ON)
            return walk;
        if (parity_walk_take_commas(w, pair, '}', &ended, &apart) == WALK_STOP)
            return WALK_STOP;
        if (ended)
            return WALK_ON;
        if (apart)
            return walk_rest(w, pair);
    }
}

enum walk parity_walk_object(struct walker *w, struct pair *pair)
{
    const char *open = pair->at[LEFT];
    if (parity_walk_enter(w, pair, NULL) == WALK_STOP)
        return WALK_STOP;
    enum walk walk = walk_members(w, pair, open);
    parity_walk_leave(w);
    return walk;
}
