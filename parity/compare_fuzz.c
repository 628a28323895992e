/* Two texts, cut from any bytes at the first line's end, else in the middle: nothing is read outside them, a text
 * equals itself, and both directions agree. */
#include "base/json_read.h"
#include "base/json_write.h"
#include "parity/compare.h"
#include "parity/findings.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct parity_rule rules[] = {
    {PARITY_IDENTITY, "$", "id|k,l", 0},     {PARITY_IDENTITY, "$.a", "id", 0}, {PARITY_IDENTITY, "$[].a", "k", 0},
    {PARITY_IGNORE, "$.i", NULL, 0},         {PARITY_IGNORE, "$.*.i", NULL, 0}, {PARITY_ULPS, "$.u", NULL, 4},
    {PARITY_ABSOLUTE, "$.a[].n", NULL, 0.5}, {PARITY_RULES_END, NULL, NULL, 0},
};

/* In memory of exactly its size. */
static struct slice copy(const uint8_t *data, size_t size)
{
    char *bytes = malloc(size ? size : 1);
    if (!bytes)
        abort();
    if (size)
        memcpy(bytes, data, size);
    return (struct slice){bytes, size};
}

struct result {
    bool compared;
    struct parity_counts counts;
};

static struct result compare(struct slice left, struct slice right)
{
    struct result result;
    struct err err = ERR_INIT;
    struct parity_findings *findings = parity_findings_new(8, 16);
    result.compared = parity_compare(left, right, rules, parity_findings_add, findings, &result.counts, &err);
    if (!result.compared && (err.code != ERR_INVALID || !err.text[0]))
        abort();
    if (memcmp(&result.counts, parity_findings_counts(findings), sizeof result.counts) != 0)
        abort();
    for (size_t i = 0; i < parity_findings_kept(findings); i++) {
        struct parity_difference difference = parity_findings_at(findings, i);
        if (difference.path.n == 0 || difference.path.p[0] != '$' || (!difference.left.p && !difference.right.p))
            abort();
    }
    parity_findings_free(findings);
    return result;
}

/* What is missing on one side is extra on the other. (Where one side has elements more often, which of them are held
 * against each other may depend on the side.) */
static void check_mirrored(const struct parity_counts *a, const struct parity_counts *b)
{
    const uint64_t *forth = a->differences;
    const uint64_t *back = b->differences;
    if (!parity_counts_sum(a) != !parity_counts_sum(b))
        abort();
    if (forth[PARITY_DUPLICATE] || back[PARITY_DUPLICATE])
        return;
    if (forth[PARITY_MISSING] != back[PARITY_EXTRA] || forth[PARITY_EXTRA] != back[PARITY_MISSING] ||
        forth[PARITY_VALUE] != back[PARITY_VALUE] || forth[PARITY_TYPE] != back[PARITY_TYPE] ||
        forth[PARITY_ORDER] != back[PARITY_ORDER] || forth[PARITY_NULL_ABSENT] != back[PARITY_NULL_ABSENT])
        abort();
}

static void check_equal(struct slice left, struct slice right)
{
    struct result result = compare(left, right);
    if (!result.compared || parity_counts_sum(&result.counts))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *cut = size ? memchr(data, '\n', size) : NULL;
    size_t first = cut ? (size_t)(cut - data) : size / 2;
    size_t second = cut ? first + 1 : first;
    struct slice left = copy(data, first);
    struct slice right = copy(data + second, size - second);
    struct result forth = compare(left, right);
    struct result back = compare(right, left);
    if (json_check(left, NULL, NULL)) {
        check_equal(left, left);
        struct buf compact = BUF_INIT; /* other bytes that say the same */
        json_put_compact(&compact, left);
        buf_append_char(&compact, ' ');
        check_equal(left, buf_slice(&compact));
        buf_free(&compact);
        if (json_check(right, NULL, NULL)) {
            if (!forth.compared || !back.compared)
                abort();
            check_mirrored(&forth.counts, &back.counts);
        }
    }
    free((char *)left.p);
    free((char *)right.p);
    return 0;
}
