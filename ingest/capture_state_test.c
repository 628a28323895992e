#include "base/buf.h"
#include "base/testing.h"
#include "ingest/capture_state.h"
#include "legacy/testing.h"
#include "legacy/writer.h"

static struct capture_state *load(const struct folder *folder, const char *from, const char *database)
{
    return capture_state_load(folder->path, from, database);
}

/* A folder whose trades.json was captured from "http://a" and ingested into the database "one". */
static struct folder captured(void)
{
    struct folder folder = folder_new();
    struct capture_state *state = load(&folder, "http://a", "one");
    struct capture_entry *entry = capture_state_entry(state, "trades");
    assert_ptr_equal(capture_state_entry(state, "trades"), entry);
    assert_false(capture_entry_holds(state, entry));
    struct err err = ERR_INIT;
    assert_true(legacy_write_file(folder.path, "trades.json", SLICE("{}"), &err));
    capture_entry_written(state, entry, SLICE("{}"), true);
    capture_entry_validators(state, entry, "/api/trades", "\"e\"", NULL);
    assert_true(capture_entry_holds(state, entry));
    assert_true(capture_state_save(state, &err));
    capture_state_free(state);
    return folder;
}

static void what_was_saved_is_known_again(void **unused)
{
    (void)unused;
    struct folder folder = captured();
    struct capture_state *state = load(&folder, "http://a", "one");
    struct capture_entry *entry = capture_state_entry(state, "trades");
    assert_true(capture_entry_holds(state, entry));
    assert_string_equal(entry->path, "/api/trades");
    assert_string_equal(entry->etag, "\"e\"");
    assert_null(entry->last_modified);
    assert_true(entry->ingested);
    capture_state_free(state);
    folder_free(&folder);
}

static void another_server_or_database_knows_nothing(void **unused)
{
    (void)unused;
    struct folder folder = captured();
    struct capture_state *state = load(&folder, "http://b", "one");
    struct capture_entry *entry = capture_state_entry(state, "trades");
    assert_null(entry->path);
    assert_null(entry->etag);
    assert_true(entry->ingested);
    capture_state_free(state);
    state = load(&folder, "http://a", "two");
    entry = capture_state_entry(state, "trades");
    assert_non_null(entry->etag);
    assert_false(entry->ingested);
    capture_state_free(state);
    folder_free(&folder);
}

static void without_a_database_what_is_known_of_one_stays(void **unused)
{
    (void)unused;
    struct folder folder = captured();
    struct err err = ERR_INIT;
    struct capture_state *state = load(&folder, "http://a", NULL);
    capture_entry_validators(state, capture_state_entry(state, "trades"), "/api/trades", "\"f\"", NULL);
    assert_true(capture_state_save(state, &err));
    capture_state_free(state);
    state = load(&folder, "http://a", "one");
    assert_true(capture_state_entry(state, "trades")->ingested);
    assert_string_equal(capture_state_entry(state, "trades")->etag, "\"f\"");
    capture_state_free(state);
    folder_free(&folder);
}

static void a_file_that_was_touched_is_forgotten(void **unused)
{
    (void)unused;
    struct folder folder = captured();
    struct capture_state *state = load(&folder, "http://a", "one");
    struct capture_entry *entry = capture_state_entry(state, "trades");
    folder_put(&folder, "trades.json", "{ }");
    assert_false(capture_entry_holds(state, entry));
    assert_null(entry->etag);
    assert_false(entry->ingested);
    capture_state_free(state);
    /* Between runs the bytes tell: written again as it was, it is known. */
    state = load(&folder, "http://a", "one");
    assert_null(capture_state_entry(state, "trades")->digest);
    capture_state_free(state);
    folder_put(&folder, "trades.json", "{}");
    state = load(&folder, "http://a", "one");
    assert_true(capture_entry_holds(state, capture_state_entry(state, "trades")));
    capture_state_free(state);
    folder_drop(&folder, "trades.json");
    state = load(&folder, "http://a", "one");
    assert_false(capture_entry_holds(state, capture_state_entry(state, "trades")));
    capture_state_free(state);
    folder_free(&folder);
}

static void a_new_file_has_no_validators(void **unused)
{
    (void)unused;
    struct folder folder = captured();
    struct capture_state *state = load(&folder, "http://a", "one");
    struct capture_entry *entry = capture_state_entry(state, "trades");
    folder_put(&folder, "trades.json", "[]");
    capture_entry_written(state, entry, SLICE("[]"), false);
    assert_null(entry->etag);
    assert_false(entry->ingested);
    assert_true(capture_entry_holds(state, entry));
    capture_state_free(state);
    folder_free(&folder);
}

static void damage_is_as_nothing(void **unused)
{
    (void)unused;
    static const char *const texts[] = {
        "",
        "x",
        "[]",
        "{\"from\":1,\"files\":[1,{}]}",
        "{\"from\":\"http://a\",\"files\":{\"trades\":1}}",
        "{\"from\":\"http://a\",\"files\":{\"trades\":{\"sha256\":\"00\",\"etag\":\"x\"}}}"};
    struct folder folder = captured();
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        folder_put(&folder, ".capture.json", texts[i]);
        struct capture_state *state = load(&folder, "http://a", "one");
        struct capture_entry *entry = capture_state_entry(state, "trades");
        assert_false(capture_entry_holds(state, entry));
        assert_null(entry->etag);
        assert_false(entry->ingested);
        capture_state_free(state);
    }
    folder_free(&folder);
}

static void saving_may_fail(void **unused)
{
    (void)unused;
    struct folder folder = captured();
    struct err err = ERR_INIT;
    struct capture_state *state = load(&folder, "http://a", "one");
    folder_drop(&folder, "trades.json");
    folder_drop(&folder, ".capture.json");
    folder_free(&folder);
    assert_true(capture_state_save(state, &err)); /* nothing changed: nothing is written */
    assert_false(capture_entry_holds(state, capture_state_entry(state, "trades")));
    assert_false(capture_state_save(state, &err));
    assert_int_equal(err.code, ERR_IO);
    assert_false(capture_state_save(state, &err));
    capture_state_free(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_saved_is_known_again),
        cmocka_unit_test(another_server_or_database_knows_nothing),
        cmocka_unit_test(without_a_database_what_is_known_of_one_stays),
        cmocka_unit_test(a_file_that_was_touched_is_forgotten),
        cmocka_unit_test(a_new_file_has_no_validators),
        cmocka_unit_test(damage_is_as_nothing),
        cmocka_unit_test(saving_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
