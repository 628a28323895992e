/* Two JSON documents, compared by what they mean: objects by key, arrays by the declared identity of their elements and
 * their order apart, numbers by their exact value, strings by code points. null, an absent key, an empty container and
 * zero are all different, and so are 1 and "1".
 *
 * Left is what is expected (the legacy side), right what is held against it. */
#ifndef NOF0_PARITY_COMPARE_H
#define NOF0_PARITY_COMPARE_H

#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

enum parity_class {
    PARITY_VALUE,       /* both are there and of one type, with different content */
    PARITY_MISSING,     /* a key or an element is on the left only */
    PARITY_EXTRA,       /* on the right only */
    PARITY_TYPE,        /* string and number, object and null, ... */
    PARITY_ORDER,       /* an element that both sides have stands elsewhere among its neighbours */
    PARITY_DUPLICATE,   /* one side has an element more often than the other */
    PARITY_NULL_ABSENT, /* a key is null on one side and not there on the other */
    PARITY_CLASS_COUNT,
};

/* "value", "missing", "extra", "type", "order", "duplicate", "null-vs-absent". */
const char *parity_class_name(enum parity_class class);

struct parity_difference {
    enum parity_class class;
    struct slice path;  /* "$.trades[id=gpt-5_1b2c].entry_price"; elements without identity by their index, "[3]", on
                           the left if they are there */
    struct slice left;  /* the value's JSON text; p is NULL where it is absent. PARITY_ORDER: the element's index */
    struct slice right; /* the same */
};

/* How an endpoint's document is to be compared. Rules speak of places by pattern: "$.trades[]" is every element of the
 * array trades, "$.prices.*" every member of the object prices. At most 32 rules, 12 keys deep. */
enum parity_rule_kind {
    PARITY_RULES_END,
    PARITY_IDENTITY, /* elements of the array `place` are told apart by `keys`, "id" or "model_id,symbol"; alternatives
                        with "|", of which the first counts that the element has */
    PARITY_IGNORE,   /* whatever is at `place` */
    PARITY_ULPS,     /* numbers at `place` may differ by `tolerance` units in the last place */
    PARITY_ABSOLUTE, /* numbers at `place` may differ by `tolerance` */
};

struct parity_rule {
    enum parity_rule_kind kind;
    const char *place;
    const char *keys;
    double tolerance;
};

struct parity_counts {
    uint64_t differences[PARITY_CLASS_COUNT];
};
uint64_t parity_counts_sum(const struct parity_counts *counts);

/* Told of each difference, in the order of the left document; the slices live for the call. False: tell no more (they
 * are still counted). */
typedef bool parity_difference_fn(void *arg, const struct parity_difference *difference);

/* Compares. Both texts must be good JSON (json_check); `rules` ends with PARITY_RULES_END. Linear in the texts'
 * lengths, but for arrays that are not in the same order, whose elements are sorted; what is equal byte for byte is
 * stepped over. Takes memory for the paths, for a string with escapes, and from where the members of two objects or the
 * elements of two arrays differ, some 50 bytes for each that is left of both. True when it came to the end, whatever it
 * found: *counts says. False with *err (ERR_INVALID, with side and place) when it met something that is not JSON after
 * all; it does not look for that. on_difference may be NULL. */
bool parity_compare(struct slice left, struct slice right, const struct parity_rule *rules,
                    parity_difference_fn *on_difference, void *arg, struct parity_counts *counts,
                    struct err *err) MUST_CHECK;

#endif
