#include "base/testing.h"
#include "server/legacy_documents.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[] = "/tmp/nof0-legacy-documents-XXXXXX";

static void write_file(const char *name, const char *text)
{
    char path[256];
    char draft[256];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    (void)snprintf(draft, sizeof draft, "%s/draft", folder);
    FILE *out = fopen(draft, "w");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(rename(draft, path), 0);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state)
{
    (void)state;
    char command[300];
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command); /* NOLINT(cert-env33-c): a fixed command on a folder of this test */
}

/* A trades file that is long enough to be compressed. */
static void write_trades(const char *last_id)
{
    struct buf text = BUF_INIT;
    buf_append_str(&text, "{\"serverTime\":1761452354435,\"trades\":[");
    for (int i = 0; i < 100; i++)
        buf_printf(&text, "{\"id\":\"t%d\",\"model_id\":\"gpt-5\",\"exit_time\":%d},", i, 1000 - i);
    buf_printf(&text, "{\"id\":\"%s\",\"model_id\":\"gpt-5\",\"exit_time\":1}]}", last_id);
    write_file("trades.json", buf_cstr(&text));
    buf_free(&text);
}

/* The document of a whole file, which `documents` holds. */
static struct document *whole(const struct legacy_documents *documents, enum read_kind kind, struct slice model_id)
{
    struct read_query query = {.kind = kind, .limit = READ_NO_LIMIT, .model_id = model_id};
    struct err err = ERR_INIT;
    bool is_whole = false;
    struct document *document = legacy_documents_answer(documents, &query, &is_whole, &err);
    assert_non_null(document);
    assert_true(is_whole);
    document_unref(document);
    return document;
}

static struct slice tail_of(const struct document *document, char out[DOCUMENT_TAIL_SIZE])
{
    return (struct slice){out, document_tail(document, 1795254564894, out)};
}

static void test_each_file_becomes_a_document(void **state)
{
    (void)state;
    struct settings *settings = settings_default();
    write_trades("last");
    write_file("crypto-prices.json",
               "{\"prices\":{\"BTC\":{\"symbol\":\"BTC\",\"price\":1,\"timestamp\":2}},\"serverTime\":1761452335744}");
    write_file("leaderboard.json", "{\"leaderboard\":[{\"id\":\"gpt-5\"}]}");
    write_file("analytics.json",
               "{\"analytics\":[{\"model_id\":\"gpt-5\",\"id\":\"gpt-5\"}],\"serverTime\":1761452335744}");
    write_file("analytics-gpt-5.json",
               "{\"analytics\":[{\"model_id\":\"gpt-5\",\"id\":\"gpt-5\",\"updated_at\":1.5}]}");
    struct legacy_documents *documents = legacy_documents_new(legacy_set_load(folder, NULL), NULL, settings);

    char tail[DOCUMENT_TAIL_SIZE];
    struct document *trades = whole(documents, READ_TRADES, (struct slice){NULL, 0});
    assert_non_null(trades);
    assert_true(document_is_compressed(trades));
    assert_true(slice_is(tail_of(trades, tail), ",\"serverTime\":1795254564894}"));
    struct document *prices = whole(documents, READ_CRYPTO_PRICES, (struct slice){NULL, 0});
    assert_true(slice_is(tail_of(prices, tail), ",\"serverTime\":1761452335744}"));
    assert_false(document_is_compressed(prices)); /* too short to be worth it */
    struct document *leaders = whole(documents, READ_LEADERBOARD, (struct slice){NULL, 0});
    assert_true(slice_is(tail_of(leaders, tail), "}"));
    assert_true(slice_is(document_body(leaders), "{\"leaderboard\":[{\"id\":\"gpt-5\"}]"));
    struct document *one = whole(documents, READ_ANALYTICS_ONE, SLICE("gpt-5"));
    assert_non_null(one);
    assert_true(
        slice_is(document_body(one), "{\"analytics\":{\"model_id\":\"gpt-5\",\"id\":\"gpt-5\",\"updated_at\":1.5}"));

    bool is_whole = true;
    struct err err = ERR_INIT;
    struct read_query first = {.kind = READ_TRADES, .limit = 1};
    struct document *page = legacy_documents_answer(documents, &first, &is_whole, &err);
    assert_non_null(page);
    assert_false(is_whole);
    assert_true(document_body(page).n < document_body(trades).n);
    document_unref(page);
    struct read_query missing = {.kind = READ_POSITIONS, .limit = READ_NO_LIMIT};
    assert_null(legacy_documents_answer(documents, &missing, &is_whole, &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    legacy_documents_unref(documents);
    settings_free(settings);
}

static void test_unchanged_bytes_are_not_compressed_again(void **state)
{
    (void)state;
    struct settings *settings = settings_default();
    write_trades("first");
    struct legacy_set *set = legacy_set_load(folder, NULL);
    struct legacy_documents *first = legacy_documents_new(legacy_set_ref(set), NULL, settings);
    write_file("leaderboard.json", "{\"leaderboard\":[{\"id\":\"grok-4\"}]}");
    struct legacy_set *next = legacy_set_load(folder, set);
    struct legacy_documents *second = legacy_documents_new(legacy_set_ref(next), first, settings);
    struct slice none = {NULL, 0};
    assert_ptr_equal(document_gzip(whole(first, READ_TRADES, none)).p,
                     document_gzip(whole(second, READ_TRADES, none)).p);
    assert_string_not_equal(document_etag(whole(first, READ_LEADERBOARD, none)),
                            document_etag(whole(second, READ_LEADERBOARD, none)));

    /* A document outlives the set that it came from. */
    struct document *held = document_ref(whole(second, READ_TRADES, none));
    legacy_documents_unref(first);
    legacy_set_unref(set);
    write_trades("other");
    struct legacy_documents *third = legacy_documents_new(legacy_set_load(folder, next), second, settings);
    legacy_documents_unref(second);
    legacy_set_unref(next);
    assert_string_not_equal(document_etag(whole(third, READ_TRADES, none)), document_etag(held));
    assert_non_null(memmem(document_body(held).p, document_body(held).n, "\"first\"", 7));
    document_unref(held);
    legacy_documents_unref(third);
    settings_free(settings);
}

static void test_compression_can_be_off(void **state)
{
    (void)state;
    struct settings *settings = settings_default();
    settings->compression_enabled = false;
    write_trades("last");
    struct legacy_documents *documents = legacy_documents_new(legacy_set_load(folder, NULL), NULL, settings);
    assert_false(document_is_compressed(whole(documents, READ_TRADES, (struct slice){NULL, 0})));
    legacy_documents_unref(documents);
    settings_free(settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_file_becomes_a_document),
        cmocka_unit_test(test_unchanged_bytes_are_not_compressed_again),
        cmocka_unit_test(test_compression_can_be_off),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
