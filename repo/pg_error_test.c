#include "base/testing.h"
#include "repo/pg_error.h"

#include <string.h>

static void states_map_to_codes(void **state)
{
    (void)state;
    static const struct {
        const char *sqlstate;
        enum err_code code;
    } cases[] = {
        {NULL, ERR_UNAVAILABLE},    {"", ERR_UNAVAILABLE},      {"08006", ERR_UNAVAILABLE}, {"57P01", ERR_UNAVAILABLE},
        {"57P03", ERR_UNAVAILABLE}, {"57014", ERR_TIMEOUT},     {"53300", ERR_UNAVAILABLE}, {"28P01", ERR_UNAVAILABLE},
        {"3D000", ERR_UNAVAILABLE}, {"25006", ERR_UNAVAILABLE}, {"25P02", ERR_INTERNAL},    {"55P03", ERR_TIMEOUT},
        {"23505", ERR_CONFLICT},    {"40001", ERR_CONFLICT},    {"40P01", ERR_CONFLICT},    {"23514", ERR_INVALID},
        {"23503", ERR_INVALID},     {"22P02", ERR_INVALID},     {"42703", ERR_INTERNAL},    {"42P01", ERR_UNAVAILABLE},
        {"XX000", ERR_INTERNAL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (pg_error_code(cases[i].sqlstate) != cases[i].code)
            fail_msg("%s", cases[i].sqlstate ? cases[i].sqlstate : "NULL");
}

static void nothing_at_all_is_a_lost_connection(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    assert_false(pg_error_from_result(&err, NULL, NULL));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_false(pg_error_from_connection(&err, NULL));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_true(strlen(err.text) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_map_to_codes),
        cmocka_unit_test(nothing_at_all_is_a_lost_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
