/* What differs at each look is held; what came or went between two looks is not. */
#include "base/testing.h"
#include "parity/trail.h"

/* What comparing two texts finds. */
static struct parity_findings *look(const char *left, const char *right)
{
    static const struct parity_rule none[] = {{.kind = PARITY_RULES_END}};
    struct parity_findings *findings = parity_findings_new(10, 100);
    struct parity_counts counts;
    struct err err = ERR_INIT;
    assert_true(parity_compare(slice_of(left), slice_of(right), none, parity_findings_add, findings, &counts, &err));
    assert_true(parity_counts_sum(&counts) > 0);
    return findings;
}

static void expect(const struct parity_trail *trail, int64_t confirmed, size_t kept, const char *path)
{
    assert_int_equal(trail->confirmed, confirmed);
    assert_int_equal(parity_findings_kept(trail->held), kept);
    assert_true(slice_is(parity_findings_at(trail->held, 0).path, path));
}

static void what_lasts_is_confirmed(void **state)
{
    (void)state;
    struct parity_trail trail = {NULL, 0};
    parity_trail_follow(&trail, look("{\"a\":1,\"b\":1}", "{\"a\":2,\"b\":2}"));
    expect(&trail, 0, 2, "$.a");
    parity_trail_follow(&trail, look("{\"a\":1,\"b\":3}", "{\"a\":2,\"b\":2}"));
    expect(&trail, 1, 1, "$.a");
    parity_trail_follow(&trail, look("{\"a\":1,\"b\":2,\"c\":1}", "{\"a\":2,\"b\":2}"));
    expect(&trail, 2, 1, "$.a");
    parity_trail_clear(&trail);
    assert_null(trail.held);
}

static void what_moves_begins_anew(void **state)
{
    (void)state;
    struct parity_trail trail = {NULL, 0};
    parity_trail_follow(&trail, look("{\"a\":1}", "{\"a\":2}"));
    parity_trail_follow(&trail, look("{\"a\":1}", "{\"a\":2}"));
    expect(&trail, 1, 1, "$.a");
    parity_trail_follow(&trail, look("{\"a\":2}", "{\"a\":3}")); /* the same place, other values */
    expect(&trail, 0, 1, "$.a");
    parity_trail_follow(&trail, look("{\"b\":2}", "{\"b\":3}"));
    expect(&trail, 0, 1, "$.b");
    parity_trail_clear(&trail);
    parity_trail_clear(&trail);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_lasts_is_confirmed),
        cmocka_unit_test(what_moves_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
