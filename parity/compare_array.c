/* Arrays: element by element while both have the same ones in the same order, and by an index of the rest from where
 * they do not. */
#include "base/num.h"
#include "parity/compare_inside.h"

static const struct slice absent = {NULL, 0};

/* -- The rest, all in view ---------------------------------------------------------------------------------------- */

struct collect {
    struct parity_align *align;
    int side;
};

static bool add_element(void *arg, struct slice element)
{
    struct collect *collect = arg;
    return parity_align_add(collect->align, collect->side, element);
}

/* Each side is where an element begins, or at its closing bracket. Afterwards behind the arrays. */
static enum walk collect_rest(struct walker *w, struct pair *pair, struct parity_align *align)
{
    for (int side = LEFT; side <= RIGHT; side++) {
        struct collect collect = {align, side};
        const char *behind = parity_scan_elements(pair->at[side], w->end[side], add_element, &collect);
        if (!behind)
            return parity_walk_bad(w, (enum parity_side)side, pair->at[side], "an array that does not end well");
        pair->at[side] = behind;
    }
    return WALK_ON;
}

/* -- Without identity --------------------------------------------------------------------------------------------- */

/* Whether the elements at these indices of the rest are equal. `from` is the index of the rest in the array. */
static bool probe(struct walker *w, const struct parity_align *rest, size_t from, uint32_t left, uint32_t right)
{
    parity_walk_at_element(w, from + left, absent);
    return parity_walk_probe(w, rest->entries[LEFT][left].text, rest->entries[RIGHT][right].text);
}

/* Elements that only their place tells apart. Where one side has more of them, those that are equal at the beginning
 * and at the end are put together first, so that what is missing or too many is seen where it is. */
static enum walk compare_by_place(struct walker *w, const struct parity_align *rest, size_t from)
{
    uint32_t left = rest->count[LEFT];
    uint32_t right = rest->count[RIGHT];
    uint32_t begin = 0;
    if (left != right) {
        if (w->probing)
            return WALK_STOP;
        while (begin < left && begin < right && probe(w, rest, from, begin, begin))
            begin++;
        while (left > begin && right > begin && probe(w, rest, from, left - 1, right - 1)) {
            left--;
            right--;
        }
    }
    uint32_t both = left < right ? left : right;
    for (uint32_t i = begin; i < both; i++) {
        parity_walk_at_element(w, from + i, absent);
        if (parity_walk_ranges(w, rest->entries[LEFT][i].text, rest->entries[RIGHT][i].text) == WALK_STOP)
            return WALK_STOP;
    }
    enum walk walk = WALK_ON;
    for (uint32_t i = both; i < left && walk == WALK_ON; i++) {
        parity_walk_at_element(w, from + i, absent);
        walk = parity_walk_differ(w, PARITY_MISSING, rest->entries[LEFT][i].text, absent);
    }
    for (uint32_t i = both; i < right && walk == WALK_ON; i++) {
        parity_walk_at_element(w, from + i, absent);
        walk = parity_walk_differ(w, PARITY_EXTRA, absent, rest->entries[RIGHT][i].text);
    }
    return walk;
}

/* -- With identity ------------------------------------------------------------------------------------------------ */

struct before {
    struct parity_align *align;
    const char *until;
};

static bool note_before(void *arg, struct slice element)
{
    struct before *before = arg;
    if (element.p >= before->until)
        return false;
    parity_align_note_before(before->align, element.p, element.p + element.n);
    return true;
}

static enum walk differ_alone(struct walker *w, const struct parity_align *rest, enum parity_side side, uint32_t index,
                              size_t from)
{
    const struct parity_entry *entry = &rest->entries[side][index];
    parity_walk_at_element(w, from + index, entry->text);
    enum parity_class class = side == LEFT ? PARITY_MISSING : PARITY_EXTRA;
    if (parity_align_is_surplus(rest, entry))
        class = PARITY_DUPLICATE;
    return side == LEFT ? parity_walk_differ(w, class, entry->text, absent)
                        : parity_walk_differ(w, class, absent, entry->text);
}

static enum walk compare_partners(struct walker *w, const struct parity_align *rest, uint32_t left, size_t from)
{
    const struct parity_entry *entry = &rest->entries[LEFT][left];
    parity_walk_at_element(w, from + left, entry->text);
    if (entry->moved) {
        char index[2][NUM_TEXT_SIZE];
        struct slice left_index = {index[LEFT], num_format_i64(index[LEFT], (int64_t)(from + left))};
        struct slice right_index = {index[RIGHT], num_format_i64(index[RIGHT], (int64_t)(from + entry->partner))};
        if (parity_walk_differ(w, PARITY_ORDER, left_index, right_index) == WALK_STOP)
            return WALK_STOP;
    }
    return parity_walk_ranges(w, entry->text, rest->entries[RIGHT][entry->partner].text);
}

/* Elements that their keys tell apart. `first` and `until` are where the left array's elements begin, and the rest. */
static enum walk compare_by_identity(struct walker *w, struct parity_align *rest, size_t from, const char *first,
                                     const char *until)
{
    parity_align_match(rest);
    if (parity_align_any_alone(rest)) {
        if (w->probing)
            return WALK_STOP;
        struct before before = {rest, until};
        (void)parity_scan_elements(first, w->end[LEFT], note_before, &before);
    }
    enum walk walk = WALK_ON;
    for (uint32_t i = 0; i < rest->count[LEFT] && walk == WALK_ON; i++) {
        walk = rest->entries[LEFT][i].partner == PARITY_NOBODY ? differ_alone(w, rest, LEFT, i, from)
                                                               : compare_partners(w, rest, i, from);
    }
    for (uint32_t i = 0; i < rest->count[RIGHT] && walk == WALK_ON; i++) {
        if (rest->entries[RIGHT][i].partner == PARITY_NOBODY)
            walk = differ_alone(w, rest, RIGHT, i, from);
    }
    return walk;
}

/* -- In lockstep -------------------------------------------------------------------------------------------------- */

struct array {
    const struct parity_identity_keys *identity;
    const char *open;
    size_t index; /* of the element where both are */
};

static enum walk walk_rest(struct walker *w, struct pair *pair, const struct array *array)
{
    struct parity_align rest;
    parity_align_init(&rest, array->identity, w->seed);
    const char *until = pair->at[LEFT];
    enum walk walk = collect_rest(w, pair, &rest);
    if (walk == WALK_ON)
        walk = array->identity ? compare_by_identity(w, &rest, array->index, array->open + 1, until)
                               : compare_by_place(w, &rest, array->index);
    parity_align_free(&rest);
    return walk;
}

/* Whether what begins here is told apart from its neighbours by the same keys with the same values. */
static bool same_identity(const struct walker *w, const struct pair *pair, const struct parity_identity_keys *keys)
{
    struct parity_identity left = parity_identity_of(keys, pair->at[LEFT], w->end[LEFT]);
    struct parity_identity right = parity_identity_of(keys, pair->at[RIGHT], w->end[RIGHT]);
    return parity_identity_equal(keys, &left, &right);
}

static enum walk walk_elements(struct walker *w, struct pair *pair, struct array *array)
{
    for (bool first = true;; first = false) {
        bool ended;
        size_t from = array->index;
        enum walk walk = parity_walk_jump(w, pair, array->open, &array->index, &ended);
        if (walk != WALK_ON || ended)
            return walk;
        parity_walk_skip_space(w, pair);
        bool may_end = first && array->index == from;
        bool left_ends = may_end && parity_walk_peek(w, LEFT, pair) == ']';
        bool right_ends = may_end && parity_walk_peek(w, RIGHT, pair) == ']';
        if (left_ends && right_ends) {
            pair->at[LEFT]++;
            pair->at[RIGHT]++;
            return WALK_ON;
        }
        if (left_ends || right_ends || !array->identity || !same_identity(w, pair, array->identity))
            return walk_rest(w, pair, array);

        struct slice element = {pair->at[LEFT], (size_t)(w->end[LEFT] - pair->at[LEFT])};
        parity_walk_at_element(w, array->index, element);
        walk = parity_walk_value(w, pair);
        if (walk != WALK_ON)
            return walk;
        bool apart;
        if (parity_walk_take_commas(w, pair, ']', &ended, &apart) == WALK_STOP)
            return WALK_STOP;
        if (ended)
            return WALK_ON;
        array->index++;
        if (apart)
            return walk_rest(w, pair, array);
    }
}

enum walk parity_walk_array(struct walker *w, struct pair *pair, const struct parity_identity_keys *identity)
{
    struct array array = {identity, pair->at[LEFT], 0};
    if (parity_walk_enter(w, pair, identity) == WALK_STOP)
        return WALK_STOP;
    enum walk walk = walk_elements(w, pair, &array);
    parity_walk_leave(w);
    return walk;
}
