#include "base/testing.h"
#include "cli/text_table.h"

static void columns_are_as_wide_as_needed(void **state)
{
    (void)state;
    static const char *const heads[] = {"name", "empty", "n", "last"};
    struct text_table *table = text_table_new(heads, 4);
    struct buf out = BUF_INIT;
    text_table_put(&out, table);
    assert_string_equal(buf_cstr(&out), "\n");
    buf_clear(&out);
    text_table_row(table);
    text_table_add(table, 0, SLICE("a"));
    text_table_add(table, 2, SLICE("100"));
    text_table_row(table);
    text_table_add(table, 0, SLICE("\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2")); /* six columns in nine bytes */
    text_table_add(table, 3, SLICE("x\x1b[2J"));
    text_table_add(table, 3, SLICE(" y"));
    text_table_put(&out, table);
    assert_string_equal(buf_cstr(&out), "name    n    last\n"
                                        "a       100\n"
                                        "\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2       x\\u001b[2J y\n");
    buf_free(&out);
    text_table_free(table);
    text_table_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(columns_are_as_wide_as_needed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
