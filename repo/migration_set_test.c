#include "base/testing.h"
#include "repo/migration_set.h"

#include <stdio.h>
#include <string.h>

static struct migration_set *set_of(const char *const *names, size_t count, struct err *err)
{
    struct migration_file files[8];
    for (size_t i = 0; i < count; i++)
        files[i] = (struct migration_file){names[i], "SELECT 1;", 9};
    return migration_set_new(files, count, err);
}

static void numbers_and_pairs_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *names[4];
        const char *fault; /* NULL: good */
    } cases[] = {
        {{NULL}, NULL},
        {{"0001_a.up.sql", "0001_a.down.sql"}, NULL},
        {{"0002_b.down.sql", "0001_a.up.sql", "0002_b.up.sql", "0001_a.down.sql"}, NULL},
        {{"0001_a.up.sql"}, "no down"},
        {{"0001_a.down.sql"}, "no up"},
        {{"0002_a.up.sql", "0002_a.down.sql"}, "no 0001"},
        {{"0001_a.up.sql", "0001_b.down.sql"}, "two migrations have the number 0001"},
        {{"0001_a.up.sql", "0001_a.up.sql"}, "twice"},
        {{"0000_a.up.sql"}, "0000_a.up.sql"},
        {{"1_a.up.sql"}, "1_a.up.sql"},
        {{"0001_.up.sql"}, "0001_.up.sql"},
        {{"0001_A.up.sql"}, "0001_A.up.sql"},
        {{"0001a.up.sql"}, "0001a.up.sql"},
        {{"0001_a.sql"}, "0001_a.sql"},
        {{".up.sql"}, ".up.sql"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err = ERR_INIT;
        size_t count = 0;
        while (count < 4 && cases[i].names[count])
            count++;
        struct migration_set *set = set_of(cases[i].names, count, &err);
        if (!cases[i].fault) {
            assert_non_null(set);
            assert_int_equal(set->count, count / 2);
        } else if (set || err.code != ERR_INVALID || !strstr(err.text, cases[i].fault)) {
            fail_msg("case %zu: %s", i, err.text);
        }
        migration_set_free(set);
    }
}

static void an_empty_file_is_refused(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    const struct migration_file empty = {"0001_a.up.sql", "", 0};
    const struct migration_file zero = {"0001_a.up.sql", "a\0b", 3};
    assert_null(migration_set_new(&empty, 1, &err));
    assert_null(migration_set_new(&zero, 1, &err));
}

static void the_checksum_is_sha256(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    const struct migration_file files[] = {{"0001_a.up.sql", "abc", 3}, {"0001_a.down.sql", "x", 1}};
    struct migration_set *set = migration_set_new(files, 2, &err);
    assert_non_null(set);
    /* FIPS 180-2, appendix B.1 */
    assert_string_equal(set->migrations[0].checksum,
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    migration_set_free(set);
}

static void the_program_holds_what_the_folder_holds(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct migration_set *folder = migration_set_read("migrations", &err);
    if (!folder)
        fail_msg("%s", err.text);
    struct migration_set *embedded = migration_set_embedded(&err);
    if (!embedded)
        fail_msg("%s", err.text);
    assert_true(folder->count > 0);
    assert_int_equal(folder->count, embedded->count);
    for (unsigned i = 0; i < folder->count; i++) {
        assert_string_equal(folder->migrations[i].label, embedded->migrations[i].label);
        assert_string_equal(folder->migrations[i].up, embedded->migrations[i].up);
        assert_string_equal(folder->migrations[i].down, embedded->migrations[i].down);
        assert_string_equal(folder->migrations[i].checksum, embedded->migrations[i].checksum);
    }
    migration_set_free(folder);
    migration_set_free(embedded);
}

static void a_missing_folder_is_an_io_error(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    assert_null(migration_set_read("no/such/folder", &err));
    assert_int_equal(err.code, ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_and_pairs_are_checked),   cmocka_unit_test(an_empty_file_is_refused),
        cmocka_unit_test(the_checksum_is_sha256),          cmocka_unit_test(the_program_holds_what_the_folder_holds),
        cmocka_unit_test(a_missing_folder_is_an_io_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
