#include "base/testing.h"
#include "server/canary.h"

static void test_who_a_client_is(void **state)
{
    (void)state;
    static const struct {
        const char *named, *forwarded, *key;
    } cases[] = {
        {"tab-7", "1.2.3.4", "tab-7"},
        {"tab-7", NULL, "tab-7"},
        {NULL, "1.2.3.4", "1.2.3.4"},
        {"", " 1.2.3.4 ,10.0.0.1, 10.0.0.2", "1.2.3.4"},
        {NULL, "2001:db8::1\t", "2001:db8::1"},
        {NULL, "", "9.9.9.9"},
        {NULL, ", 10.0.0.1", "9.9.9.9"},
        {NULL, " \t , ,", "9.9.9.9"},
        {NULL, NULL, "9.9.9.9"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice none = {NULL, 0};
        struct slice key =
            canary_client_key(cases[i].named ? slice_of(cases[i].named) : none,
                              cases[i].forwarded ? slice_of(cases[i].forwarded) : none, SLICE("9.9.9.9"));
        if (!slice_is(key, cases[i].key))
            fail_msg("case %zu: \"%.*s\"", i, SLICE_ARG(key));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_a_client_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
