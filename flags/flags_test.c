#include "base/testing.h"
#include "flags/store.h"

#include <stdlib.h>

static void names_lead_back(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FLAG_COUNT; i++) {
        enum flag flag = (enum flag)i;
        assert_int_equal(flag_find(slice_of(flag_name(flag))), i);
        assert_true(strlen(flag_about(flag)) > 0);
        bool is_read = strncmp(flag_name(flag), "read.", 5) == 0;
        assert_int_equal(flag_kind(flag), is_read ? FLAG_KIND_READ : FLAG_KIND_SWITCH);
    }
    static const char *const none[] = {"", "read", "read.", "read.trade", "read.tradesx", "READ.TRADES", "trades"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_int_equal(flag_find(slice_of(none[i])), FLAG_COUNT);
    assert_int_equal(flag_find((struct slice){NULL, 0}), FLAG_COUNT);
}

static void values_read_back(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum flag_mode mode;
        uint32_t share;
        const char *put; /* NULL: as the text */
    } cases[] = {
        {"legacy", FLAG_LEGACY, 0, NULL},
        {"shadow", FLAG_SHADOW, 0, NULL},
        {"repo", FLAG_REPO, 0, NULL},
        {"canary:5", FLAG_CANARY, 500, NULL},
        {"canary:100", FLAG_CANARY, 10000, NULL},
        {"canary:100.00", FLAG_CANARY, 10000, "canary:100"},
        {"canary:0.01", FLAG_CANARY, 1, NULL},
        {"canary:0.10", FLAG_CANARY, 10, "canary:0.1"},
        {"canary:0.25", FLAG_CANARY, 25, NULL},
        {"canary:12.5", FLAG_CANARY, 1250, NULL},
        {"canary:99.99", FLAG_CANARY, 9999, NULL},
        {"canary:33.07", FLAG_CANARY, 3307, NULL},
    };
    struct buf out = BUF_INIT;
    struct err err = ERR_INIT;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct flag_value value = {.on = true};
        if (!flag_value_parse(FLAG_READ_TRADES, slice_of(cases[i].text), &value, &err))
            fail_msg("%s: %s", cases[i].text, err.text);
        assert_int_equal(value.mode, cases[i].mode);
        assert_int_equal(value.share, cases[i].share);
        assert_false(value.on);
        buf_clear(&out);
        flag_value_put(&out, FLAG_READ_TRADES, value);
        assert_string_equal(buf_cstr(&out), cases[i].put ? cases[i].put : cases[i].text);
    }
    /* Every share there is. */
    for (uint32_t share = 1; share <= FLAG_SHARE_WHOLE; share++) {
        struct flag_value value = {.mode = FLAG_CANARY, .share = share};
        struct flag_value back;
        buf_clear(&out);
        flag_value_put(&out, FLAG_READ_POSITIONS, value);
        assert_true(flag_value_parse(FLAG_READ_POSITIONS, buf_slice(&out), &back, &err));
        assert_true(flag_value_equal(value, back));
    }
    for (int on = 0; on < 2; on++) {
        struct flag_value value = {.on = on};
        struct flag_value back = {.on = !on};
        buf_clear(&out);
        flag_value_put(&out, FLAG_SWITCH_STREAM, value);
        assert_string_equal(buf_cstr(&out), on ? "on" : "off");
        assert_true(flag_value_parse(FLAG_SWITCH_STREAM, buf_slice(&out), &back, &err));
        assert_true(flag_value_equal(value, back));
    }
    buf_free(&out);
}

static void other_texts_are_no_values(void **state)
{
    (void)state;
    static const char *const reads[] = {
        "",
        "on",
        "off",
        "Legacy",
        "legacy ",
        " repo",
        "canary",
        "canary:",
        "canary:0",
        "canary:0.0",
        "canary:0.00",
        "canary:0.001",
        "canary:5.",
        "canary:.5",
        "canary:05",
        "canary:00",
        "canary:-1",
        "canary:+1",
        "canary:101",
        "canary:1000",
        "canary:100.01",
        "canary:1e1",
        "canary:5%",
        "canary:1.234",
        "canary: 5",
        "canary:5 ",
        "canary:4294967301",
        "canary:0x5",
        "canary:5.5.",
        "canary:5,5",
        "repo\x1b[31mred",
        "shadow:5",
        "a value that is so long that nobody would wish to see all of it again in an error"};
    struct err err = ERR_INIT;
    struct flag_value value = {.mode = FLAG_REPO};
    for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++) {
        if (flag_value_parse(FLAG_READ_TRADES, slice_of(reads[i]), &value, &err))
            fail_msg("\"%s\" was taken", reads[i]);
        assert_int_equal(err.code, ERR_INVALID);
        assert_non_null(strstr(err.text, "read.trades"));
        assert_non_null(strstr(err.text, "canary:N"));
        assert_null(strchr(err.text, '\x1b'));
        assert_int_equal(value.mode, FLAG_REPO);
    }
    assert_false(flag_value_parse(FLAG_READ_TRADES, (struct slice){"repo\0", 5}, &value, NULL));
    static const char *const switches[] = {"", "legacy", "On", "true", "1", "on ", "canary:5"};
    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++)
        assert_false(flag_value_parse(FLAG_SWITCH_INGEST, slice_of(switches[i]), &value, &err));
    assert_non_null(strstr(err.text, "on or off"));
}

enum { CLIENTS = 100000 };

/* Each share has its part of the clients, and a larger one has all of a smaller one's. */
static void buckets_are_even_and_stay(void **state)
{
    (void)state;
    enum { TENTHS = 10 };
    unsigned counts[TENTHS] = {0};
    char key[32];
    for (int i = 0; i < CLIENTS; i++) {
        int n = snprintf(key, sizeof key, "10.%d.%d.%d", i >> 16, (i >> 8) & 255, i & 255);
        uint32_t bucket = flag_bucket((struct slice){key, (size_t)n});
        assert_true(bucket < FLAG_SHARE_WHOLE);
        assert_int_equal(bucket, flag_bucket((struct slice){key, (size_t)n}));
        counts[bucket / (FLAG_SHARE_WHOLE / TENTHS)]++;
        bool before = false;
        for (uint32_t share = 1; share <= FLAG_SHARE_WHOLE; share += 333) {
            bool now = flag_reads_rows((struct flag_value){.mode = FLAG_CANARY, .share = share}, bucket);
            assert_true(now || !before);
            before = now;
        }
        assert_true(flag_reads_rows((struct flag_value){.mode = FLAG_CANARY, .share = FLAG_SHARE_WHOLE}, bucket));
        assert_true(flag_reads_rows((struct flag_value){.mode = FLAG_REPO}, bucket));
        assert_false(flag_reads_rows((struct flag_value){.mode = FLAG_SHADOW}, bucket));
        assert_false(flag_reads_rows((struct flag_value){.mode = FLAG_LEGACY}, bucket));
    }
    /* Five standard deviations of a fair draw are 474. */
    for (size_t i = 0; i < TENTHS; i++)
        assert_in_range(counts[i], CLIENTS / TENTHS - 500, CLIENTS / TENTHS + 500);
}

/* An instance of another release must put the same client on the same side. */
static void buckets_are_for_ever(void **state)
{
    (void)state;
    assert_int_equal(flag_bucket(SLICE("")), 1758);
    assert_int_equal(flag_bucket((struct slice){NULL, 0}), 1758);
    assert_int_equal(flag_bucket(SLICE("192.0.2.1")), 8357);
    assert_int_equal(flag_bucket((struct slice){"a\0\xff", 3}), 1766);
}

static void sets_are_counted(void **state)
{
    (void)state;
    struct flag_set content = {.version = 7};
    content.states[FLAG_READ_TRADES] =
        (struct flag_state){.value = {.mode = FLAG_CANARY, .share = 25}, .source = FLAG_FROM_STORE, .version = 7};
    struct flag_set *set = flag_set_new(&content);
    assert_true(flag_set_equal(set, &content));
    assert_ptr_equal(flag_set_ref(set), set);
    flag_set_unref(set);
    assert_true(flag_set_equal(set, &content));
    content.states[FLAG_READ_TRADES].value.share = 26;
    assert_false(flag_set_equal(set, &content));
    content.states[FLAG_READ_TRADES].value.share = 25;
    content.states[FLAG_SWITCH_CAPTURE].value.on = true;
    assert_false(flag_set_equal(set, &content));
    content.states[FLAG_SWITCH_CAPTURE].value.on = false;
    content.states[FLAG_SWITCH_CAPTURE].source = FLAG_FROM_ENVIRONMENT;
    assert_false(flag_set_equal(set, &content));
    content.states[FLAG_SWITCH_CAPTURE].source = FLAG_FROM_CONFIG;
    content.version = 8;
    assert_false(flag_set_equal(set, &content));
    flag_set_unref(set);
    flag_set_unref(NULL);
}

static void environment_overrides(void **state)
{
    (void)state;
    char *const good[] = {(char[]){"PATH=/bin"},
                          (char[]){"NOF0_FLAG_READ_TRADES=canary:2.50"},
                          (char[]){"NOF0_FLAGS=x"},
                          (char[]){"NOF0_FLAG_SWITCH_STREAM=off"},
                          (char[]){"NOF0_FLAG_DUAL_WRITE_CRYPTO_PRICES=on"},
                          (char[]){"no equals"},
                          NULL};
    struct flag_overrides overrides;
    struct err err = ERR_INIT;
    if (!flag_overrides_read(good, &overrides, &err))
        fail_msg("%s", err.text);
    unsigned count = 0;
    for (size_t i = 0; i < FLAG_COUNT; i++)
        count += overrides.present[i];
    assert_int_equal(count, 3);
    assert_true(overrides.present[FLAG_READ_TRADES] && overrides.present[FLAG_SWITCH_STREAM]);
    assert_int_equal(overrides.values[FLAG_READ_TRADES].share, 250);
    assert_false(overrides.values[FLAG_SWITCH_STREAM].on);
    assert_true(overrides.values[FLAG_DUAL_WRITE_CRYPTO_PRICES].on);

    static const char *const bad[] = {"NOF0_FLAG_=on",
                                      "NOF0_FLAG_READ_TRADE=repo",
                                      "NOF0_FLAG_READ_TRADESX=repo",
                                      "NOF0_FLAG_read_trades=repo",
                                      "NOF0_FLAG_READ.TRADES=repo",
                                      "NOF0_FLAG_READ_TRADES=",
                                      "NOF0_FLAG_READ_TRADES=on",
                                      "NOF0_FLAG_SWITCH_STREAM=repo"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[64];
        (void)snprintf(text, sizeof text, "%s", bad[i]);
        char *const environment[] = {text, NULL};
        if (flag_overrides_read(environment, &overrides, &err))
            fail_msg("%s was taken", bad[i]);
        assert_int_equal(err.code, ERR_INVALID);
        struct slice variable = {bad[i], strcspn(bad[i], "=")};
        assert_non_null(memmem(err.text, strlen(err.text), variable.p, variable.n));
    }
}

static void later_sources_win(void **state)
{
    (void)state;
    struct flag_value defaults[FLAG_COUNT] = {{0}};
    struct flag_store_rows rows = {.version = 9};
    struct flag_overrides overrides = {.present = {false}};
    struct flag_set set;
    defaults[FLAG_READ_TRADES].mode = FLAG_REPO;
    defaults[FLAG_READ_POSITIONS].mode = FLAG_REPO;
    rows.flags[FLAG_READ_TRADES] = (struct flag_stored){.set = true, .value = {.mode = FLAG_SHADOW}, .version = 9};
    rows.flags[FLAG_READ_LEADERBOARD] = (struct flag_stored){.set = true, .value = {.mode = FLAG_REPO}, .version = 4};
    rows.flags[FLAG_READ_POSITIONS] = (struct flag_stored){.set = false, .version = 5}; /* set once, then unset */
    overrides.present[FLAG_READ_LEADERBOARD] = true;
    overrides.values[FLAG_READ_LEADERBOARD].mode = FLAG_LEGACY;
    flag_resolve(defaults, &rows, &overrides, &set);
    assert_int_equal(set.version, 9);
    assert_int_equal(set.states[FLAG_READ_TRADES].value.mode, FLAG_SHADOW);
    assert_int_equal(set.states[FLAG_READ_TRADES].source, FLAG_FROM_STORE);
    assert_int_equal(set.states[FLAG_READ_POSITIONS].value.mode, FLAG_REPO);
    assert_int_equal(set.states[FLAG_READ_POSITIONS].source, FLAG_FROM_CONFIG);
    assert_int_equal(set.states[FLAG_READ_POSITIONS].version, 5);
    assert_int_equal(set.states[FLAG_READ_LEADERBOARD].value.mode, FLAG_LEGACY);
    assert_int_equal(set.states[FLAG_READ_LEADERBOARD].source, FLAG_FROM_ENVIRONMENT);
    assert_int_equal(set.states[FLAG_READ_LEADERBOARD].version, 4);
    flag_resolve(defaults, NULL, NULL, &set);
    assert_int_equal(set.version, 0);
    assert_int_equal(set.states[FLAG_READ_TRADES].value.mode, FLAG_REPO);
    static const char *const names[] = {"config", "store", "fallback", "environment"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_string_equal(flag_source_name((enum flag_source)i), names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_lead_back),           cmocka_unit_test(values_read_back),
        cmocka_unit_test(other_texts_are_no_values), cmocka_unit_test(buckets_are_even_and_stay),
        cmocka_unit_test(buckets_are_for_ever),      cmocka_unit_test(sets_are_counted),
        cmocka_unit_test(environment_overrides),     cmocka_unit_test(later_sources_win),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
