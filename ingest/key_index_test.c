#include "base/testing.h"
#include "ingest/key_index.h"

static void finds_what_was_added(void **state)
{
    (void)state;
    enum { KEYS = 5000 };
    struct arena *arena = arena_new(0);
    struct key_index index = key_index_on(arena);
    assert_int_equal(key_index_find(&index, SLICE("x")), (size_t)KEY_NONE);
    for (size_t i = 0; i < KEYS; i++) {
        struct slice key = slice_of(arena_printf(arena, "key %zu", i));
        assert_int_equal(key_index_add(&index, key, i), i);
        assert_int_equal(key_index_add(&index, key, i + 1), i);
    }
    for (size_t i = 0; i < KEYS; i++)
        assert_int_equal(key_index_find(&index, slice_of(arena_printf(arena, "key %zu", i))), i);
    assert_int_equal(key_index_find(&index, SLICE("key")), (size_t)KEY_NONE);
    key_index_set(&index, SLICE("key 7"), 70);
    key_index_set(&index, SLICE("new"), 71);
    assert_int_equal(key_index_find(&index, SLICE("key 7")), 70);
    assert_int_equal(key_index_find(&index, SLICE("new")), 71);
    arena_free(arena);
}

static void keys_are_any_bytes(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    struct key_index index = key_index_on(arena);
    assert_int_equal(key_index_add(&index, (struct slice){NULL, 0}, 1), 1);
    assert_int_equal(key_index_add(&index, SLICE(""), 2), 1);
    assert_int_equal(key_index_add(&index, (struct slice){"a\0b", 3}, 3), 3);
    assert_int_equal(key_index_find(&index, (struct slice){"a\0c", 3}), (size_t)KEY_NONE);
    assert_int_equal(key_index_find(&index, (struct slice){"a\0b", 3}), 3);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_was_added),
        cmocka_unit_test(keys_are_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
