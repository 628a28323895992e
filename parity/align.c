#include "parity/align.h"

#include "base/mem.h"

#include <stdlib.h>

void parity_align_init(struct parity_align *align, const struct parity_identity_keys *keys, uint64_t seed)
{
    *align = (struct parity_align){.keys = keys, .seed = seed};
}

void parity_align_free(struct parity_align *align)
{
    free(align->entries[0]);
    free(align->entries[1]);
    free(align->groups);
    free(align->slots);
}

bool parity_align_add(struct parity_align *align, int side, struct slice text)
{
    const uint32_t most = UINT32_MAX / 4;
    uint32_t count = align->count[side];
    if (count == align->capacity[side]) {
        if (count >= most)
            return false;
        align->capacity[side] = count ? 2 * count : 16;
        align->entries[side] = mem_realloc(align->entries[side], align->capacity[side] * sizeof *align->entries[side]);
    }
    align->entries[side][align->count[side]++] =
        (struct parity_entry){.text = text, .next = PARITY_NOBODY, .partner = PARITY_NOBODY};
    return true;
}

/* -- Groups ------------------------------------------------------------------------------------------------------- */

static struct parity_identity identity_of(const struct parity_align *align, struct slice text)
{
    return parity_identity_of(align->keys, text.p, text.p + text.n);
}

/* The slot of the group with this identity, or the free one where it belongs. */
static uint32_t *find_slot(struct parity_align *align, const struct parity_identity *identity, uint64_t hash)
{
    for (uint32_t at = (uint32_t)hash & align->mask;; at = (at + 1) & align->mask) {
        uint32_t *slot = &align->slots[at];
        if (!*slot)
            return slot;
        const struct parity_group *group = &align->groups[*slot - 1];
        if (group->hash != hash)
            continue;
        int side = group->count[0] ? 0 : 1;
        struct parity_identity other = identity_of(align, align->entries[side][group->first[side]].text);
        if (parity_identity_equal(align->keys, identity, &other))
            return slot;
    }
}

/* Entries come from the last to the first, so that each is put in front of its group. */
static void put_into_group(struct parity_align *align, int side, uint32_t index)
{
    struct parity_entry *entry = &align->entries[side][index];
    struct parity_identity identity = identity_of(align, entry->text);
    uint64_t hash = parity_identity_hash(align->keys, &identity, align->seed);
    uint32_t *slot = find_slot(align, &identity, hash);
    if (!*slot) {
        align->groups[align->group_count] = (struct parity_group){
            .hash = hash, .first = {PARITY_NOBODY, PARITY_NOBODY}, .nameless = identity.alternative < 0};
        *slot = ++align->group_count;
    }
    entry->group = *slot - 1;
    struct parity_group *group = &align->groups[entry->group];
    entry->next = group->first[side];
    group->first[side] = index;
    group->count[side]++;
}

static void make_groups(struct parity_align *align)
{
    uint32_t sum = align->count[0] + align->count[1];
    uint32_t slots = 16;
    while (slots < 2 * sum)
        slots *= 2;
    align->mask = slots - 1;
    align->slots = mem_calloc(slots, sizeof *align->slots);
    align->groups = mem_calloc(sum ? sum : 1, sizeof *align->groups);
    for (int side = 0; side < 2; side++) {
        for (uint32_t i = align->count[side]; i-- > 0;)
            put_into_group(align, side, i);
    }
}

/* -- Partners ----------------------------------------------------------------------------------------------------- */

static void pair(struct parity_align *align, uint32_t left, uint32_t right)
{
    align->entries[0][left].partner = right;
    align->entries[1][right].partner = left;
}

/* The k-th with the k-th, of those that have no partner yet, as far as both sides have some. */
static void pair_in_order(struct parity_align *align, const struct parity_group *group)
{
    uint32_t left = group->first[0];
    uint32_t right = group->first[1];
    for (;;) {
        while (left != PARITY_NOBODY && align->entries[0][left].partner != PARITY_NOBODY)
            left = align->entries[0][left].next;
        while (right != PARITY_NOBODY && align->entries[1][right].partner != PARITY_NOBODY)
            right = align->entries[1][right].next;
        if (left == PARITY_NOBODY || right == PARITY_NOBODY)
            return;
        pair(align, left, right);
    }
}

/* Marks as moved all that have partners but for a longest row whose partners stand in the same order: the longest
 * increasing subsequence, by patience sorting. */
static void find_moved(struct parity_align *align)
{
    struct parity_entry *left = align->entries[0];
    uint32_t count = align->count[0];
    uint32_t *piles = mem_calloc(count ? count : 1, sizeof *piles); /* the last of the best row of each length */
    uint32_t *before = mem_calloc(count ? count : 1, sizeof *before);
    uint32_t longest = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (left[i].partner == PARITY_NOBODY)
            continue;
        left[i].moved = true;
        uint32_t low = 0;
        uint32_t high = longest;
        if (longest && left[piles[longest - 1]].partner < left[i].partner)
            low = longest; /* the usual case */
        while (low < high) {
            uint32_t middle = low + (high - low) / 2;
            if (left[piles[middle]].partner < left[i].partner)
                low = middle + 1;
            else
                high = middle;
        }
        before[i] = low ? piles[low - 1] : PARITY_NOBODY;
        piles[low] = i;
        longest = low == longest ? longest + 1 : longest;
    }
    for (uint32_t i = longest ? piles[longest - 1] : PARITY_NOBODY; i != PARITY_NOBODY; i = before[i])
        left[i].moved = false;
    free(piles);
    free(before);
    for (uint32_t i = 0; i < align->count[1]; i++) {
        struct parity_entry *right = &align->entries[1][i];
        right->moved = right->partner != PARITY_NOBODY && left[right->partner].moved;
    }
}

/* For every entry of `side`: the partners (on the other side) of the nearest unmoved entries before and behind it. */
static void find_neighbours(const struct parity_align *align, int side, uint32_t *behind_of, uint32_t *before_of)
{
    const struct parity_entry *entries = align->entries[side];
    uint32_t count = align->count[side];
    uint32_t last = 0;
    for (uint32_t i = 0; i < count; i++) {
        behind_of[i] = last; /* a partner must stand here or later */
        if (entries[i].partner != PARITY_NOBODY && !entries[i].moved)
            last = entries[i].partner + 1;
    }
    uint32_t next = align->count[!side];
    for (uint32_t i = count; i-- > 0;) {
        before_of[i] = next; /* and before this */
        if (entries[i].partner != PARITY_NOBODY && !entries[i].moved)
            next = entries[i].partner;
    }
}

/* A group of which one side has more: each of the fewer takes one that stands in line with its neighbours, if any. */
static void pair_in_line(struct parity_align *align, const struct parity_group *group, int fewer,
                         const uint32_t *behind_of, const uint32_t *before_of)
{
    uint32_t other = group->first[!fewer];
    for (uint32_t i = group->first[fewer]; i != PARITY_NOBODY && other != PARITY_NOBODY;
         i = align->entries[fewer][i].next) {
        while (other != PARITY_NOBODY && other < behind_of[i])
            other = align->entries[!fewer][other].next;
        if (other == PARITY_NOBODY || other >= before_of[i])
            continue;
        uint32_t taken = other;
        other = align->entries[!fewer][other].next;
        pair(align, fewer == 0 ? i : taken, fewer == 0 ? taken : i);
    }
}

static bool is_uneven(const struct parity_group *group)
{
    return group->count[0] && group->count[1] && group->count[0] != group->count[1];
}

static void pair_uneven(struct parity_align *align)
{
    uint32_t *behind_of[2];
    uint32_t *before_of[2];
    for (int side = 0; side < 2; side++) {
        behind_of[side] = mem_calloc((size_t)align->count[side] + 1, sizeof(uint32_t));
        before_of[side] = mem_calloc((size_t)align->count[side] + 1, sizeof(uint32_t));
        find_neighbours(align, side, behind_of[side], before_of[side]);
    }
    for (uint32_t i = 0; i < align->group_count; i++) {
        const struct parity_group *group = &align->groups[i];
        if (!is_uneven(group))
            continue;
        int fewer = group->count[0] < group->count[1] ? 0 : 1;
        pair_in_line(align, group, fewer, behind_of[fewer], before_of[fewer]);
        pair_in_order(align, group);
    }
    for (int side = 0; side < 2; side++) {
        free(behind_of[side]);
        free(before_of[side]);
    }
}

void parity_align_match(struct parity_align *align)
{
    make_groups(align);
    bool uneven = false;
    for (uint32_t i = 0; i < align->group_count; i++) {
        const struct parity_group *group = &align->groups[i];
        if (is_uneven(group))
            uneven = true;
        else
            pair_in_order(align, group);
    }
    find_moved(align);
    if (uneven) {
        pair_uneven(align);
        find_moved(align);
    }
}

/* -- Those alone -------------------------------------------------------------------------------------------------- */

bool parity_align_any_alone(const struct parity_align *align)
{
    for (uint32_t i = 0; i < align->group_count; i++) {
        if (align->groups[i].count[0] != align->groups[i].count[1])
            return true;
    }
    return false;
}

void parity_align_note_before(struct parity_align *align, const char *p, const char *end)
{
    struct parity_identity identity = parity_identity_of(align->keys, p, end);
    if (identity.alternative < 0)
        return;
    uint32_t slot = *find_slot(align, &identity, parity_identity_hash(align->keys, &identity, align->seed));
    if (slot)
        align->groups[slot - 1].elsewhere = true;
}

bool parity_align_is_surplus(const struct parity_align *align, const struct parity_entry *entry)
{
    const struct parity_group *group = &align->groups[entry->group];
    return !group->nameless && (group->elsewhere || (group->count[0] && group->count[1]));
}
