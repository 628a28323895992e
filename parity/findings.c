#include "parity/findings.h"

#include "base/arena.h"
#include "base/mem.h"
#include "parity/text.h"

#include <stdlib.h>

/* Where a value was cut. */
#define CUT "\xE2\x80\xA6"

struct finding {
    struct parity_difference shown; /* its slices lie in the arena */
    uint64_t hash[2];               /* of the whole values, left and right */
    size_t length[2];
};

struct parity_findings {
    size_t most;
    size_t value_bytes;
    struct arena *arena;
    struct finding *kept;
    size_t kept_count, capacity;
    struct parity_counts counts;
};

struct parity_findings *parity_findings_new(size_t most, size_t value_bytes)
{
    struct parity_findings *findings = mem_zalloc(sizeof *findings);
    findings->most = most;
    findings->value_bytes = value_bytes;
    findings->arena = arena_new(0);
    return findings;
}

void parity_findings_free(struct parity_findings *findings)
{
    if (!findings)
        return;
    arena_free(findings->arena);
    free(findings->kept);
    free(findings);
}

static bool inside_character(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

/* Where to begin with two values of which only value_bytes are kept: what tells them apart must be in it. */
static size_t begin_of(const struct parity_findings *findings, struct slice left, struct slice right)
{
    size_t common = 0;
    while (common < left.n && common < right.n && left.p[common] == right.p[common])
        common++;
    if (common <= findings->value_bytes / 4 * 3 || common == left.n || common == right.n)
        return 0;
    size_t from = common - findings->value_bytes / 4;
    while (from > 0 && inside_character(left.p[from]))
        from--;
    return from;
}

static struct slice keep_value(struct parity_findings *findings, struct slice value, size_t from)
{
    if (!value.p || (from == 0 && value.n <= findings->value_bytes))
        return value.p ? arena_copy(findings->arena, value) : value;
    size_t end = from + findings->value_bytes < value.n ? from + findings->value_bytes : value.n;
    while (end < value.n && end > from && inside_character(value.p[end]))
        end--;
    size_t cut = sizeof CUT - 1;
    char *text = arena_alloc(findings->arena, cut + (end - from) + cut);
    size_t n = 0;
    if (from > 0) {
        memcpy(text, CUT, cut);
        n = cut;
    }
    memcpy(text + n, value.p + from, end - from);
    n += end - from;
    if (end < value.n) {
        memcpy(text + n, CUT, cut);
        n += cut;
    }
    return (struct slice){text, n};
}

bool parity_findings_add(void *arg, const struct parity_difference *difference)
{
    struct parity_findings *findings = arg;
    findings->counts.differences[difference->class]++;
    if (findings->kept_count == findings->most)
        return true;
    if (findings->kept_count == findings->capacity) {
        findings->capacity = findings->capacity ? 2 * findings->capacity : 8;
        findings->kept = mem_realloc(findings->kept, findings->capacity * sizeof *findings->kept);
    }
    struct slice values[2] = {difference->left, difference->right};
    struct finding *finding = &findings->kept[findings->kept_count++];
    size_t from = begin_of(findings, values[0], values[1]);
    for (int side = 0; side < 2; side++) {
        finding->length[side] = values[side].n;
        finding->hash[side] = XXH3_64bits(values[side].p ? values[side].p : "", values[side].n);
    }
    finding->shown = (struct parity_difference){
        .class = difference->class,
        .path = arena_copy(findings->arena, difference->path),
        .left = keep_value(findings, difference->left, from),
        .right = keep_value(findings, difference->right, from),
    };
    return true;
}

const struct parity_counts *parity_findings_counts(const struct parity_findings *findings)
{
    return &findings->counts;
}

size_t parity_findings_kept(const struct parity_findings *findings)
{
    return findings->kept_count;
}

struct parity_difference parity_findings_at(const struct parity_findings *findings, size_t i)
{
    return findings->kept[i].shown;
}

/* -- What is still there ------------------------------------------------------------------------------------------ */

/* The kept findings by path: chains of those whose paths hash alike, in their order. */
struct by_path {
    const struct parity_findings *findings;
    size_t *first; /* index + 1 by hash, 0: none */
    size_t *next;  /* the same by index */
    bool *met;
    size_t mask;
};

static size_t path_slot(const struct by_path *index, struct slice path)
{
    return (size_t)XXH3_64bits(path.p, path.n) & index->mask;
}

static struct by_path index_paths(const struct parity_findings *findings)
{
    size_t count = findings->kept_count;
    struct by_path index = {.findings = findings, .mask = 15};
    while (index.mask < 2 * count)
        index.mask = 2 * index.mask + 1;
    index.first = mem_calloc(index.mask + 1, sizeof *index.first);
    index.next = mem_calloc(count + 1, sizeof *index.next);
    index.met = mem_calloc(count + 1, sizeof *index.met);
    for (size_t i = count; i-- > 0;) {
        size_t slot = path_slot(&index, findings->kept[i].shown.path);
        index.next[i] = index.first[slot];
        index.first[slot] = i + 1;
    }
    return index;
}

static bool same_values(const struct finding *a, const struct finding *b)
{
    return a->shown.class == b->shown.class && !a->shown.left.p == !b->shown.left.p &&
           !a->shown.right.p == !b->shown.right.p && a->length[0] == b->length[0] && a->length[1] == b->length[1] &&
           a->hash[0] == b->hash[0] && a->hash[1] == b->hash[1];
}

/* Whether the finding is there too; each of those there stands for one only. *moved_on: its path is, otherwise. */
static bool still_there(const struct by_path *index, const struct finding *finding, bool *moved_on)
{
    *moved_on = false;
    for (size_t at = index->first[path_slot(index, finding->shown.path)]; at; at = index->next[at - 1]) {
        const struct finding *other = &index->findings->kept[at - 1];
        if (!slice_equal(other->shown.path, finding->shown.path))
            continue;
        *moved_on = true;
        if (!index->met[at - 1] && same_values(finding, other)) {
            index->met[at - 1] = true;
            return true;
        }
    }
    return false;
}

size_t parity_findings_confirm(struct parity_findings *findings, const struct parity_findings *again)
{
    struct by_path index = index_paths(again);
    bool too_many = parity_counts_sum(&again->counts) > again->kept_count;
    struct parity_counts kept = {{0}};
    size_t stay = 0;
    size_t unsettled = 0;
    for (size_t i = 0; i < findings->kept_count; i++) {
        const struct finding *finding = &findings->kept[i];
        bool moved_on;
        if (still_there(&index, finding, &moved_on)) {
            kept.differences[finding->shown.class]++;
            findings->kept[stay++] = *finding;
        } else {
            findings->counts.differences[finding->shown.class]--;
            unsettled += moved_on;
        }
    }
    findings->kept_count = stay;
    if (!too_many)
        findings->counts = kept;
    free(index.first);
    free(index.next);
    free(index.met);
    return unsettled;
}
