/* Windows by a clock of the test's own, and what is concluded from them. */
#include "base/testing.h"
#include "server/fallback.h"
#include "server/flag_keeper.h"

#include <stdlib.h>

static void expect_sum(const struct fallback_window *window, int64_t now_ms, uint64_t all, uint64_t bad)
{
    uint64_t seen_all = 99;
    uint64_t seen_bad = 99;
    fallback_window_sum(window, now_ms, &seen_all, &seen_bad);
    assert_int_equal(seen_all, all);
    assert_int_equal(seen_bad, bad);
}

static void a_window_slides(void **state)
{
    (void)state;
    struct fallback_window window = {0};
    expect_sum(&window, 123456, 0, 0);
    fallback_window_add(&window, 10000, 50000, 10, 1);
    fallback_window_add(&window, 10000, 50010, 5, 0);
    fallback_window_add(&window, 10000, 54000, 7, 7);
    expect_sum(&window, 54000, 22, 8);
    expect_sum(&window, 59999, 22, 8);
    expect_sum(&window, 60000, 7, 7);
    expect_sum(&window, 63999, 7, 7);
    expect_sum(&window, 64500, 0, 0);
    /* A slice that comes round again holds only what is new. */
    fallback_window_add(&window, 10000, 70010, 1, 1);
    expect_sum(&window, 70010, 1, 1);
    /* After a long rest. */
    expect_sum(&window, INT64_C(1) << 50, 0, 0);
    /* Another length. */
    fallback_window_add(&window, 20000, 70020, 2, 0);
    expect_sum(&window, 70020, 2, 0);
}

/* Against a list of all that happened: nothing within the length is missing, nothing older than it counts, but for the
 * twentieth at its edge. */
static void sums_are_those_of_a_plain_count(void **state)
{
    (void)state;
    enum { EVENTS = 3000, LENGTH = 7000 };
    static int64_t at[EVENTS];
    static bool bad[EVENTS];
    struct fallback_window window = {0};
    unsigned seed = 11;
    int64_t now = 1000000;
    for (unsigned i = 0; i < EVENTS; i++) {
        now += rand_r(&seed) % 40 == 0 ? rand_r(&seed) % 9000 : rand_r(&seed) % 30;
        at[i] = now;
        bad[i] = rand_r(&seed) % 3 == 0;
        fallback_window_add(&window, LENGTH, now, 1, bad[i]);
        uint64_t all = 0;
        uint64_t most = 0;
        uint64_t seen = 0;
        uint64_t seen_bad = 0;
        for (unsigned k = 0; k <= i; k++) {
            all += at[k] > now - (LENGTH - LENGTH / FALLBACK_SLICES);
            most += at[k] > now - LENGTH;
        }
        fallback_window_sum(&window, now, &seen, &seen_bad);
        assert_in_range(seen, all, most);
        assert_true(seen_bad <= seen);
    }
}

static struct settings *settings_of(void)
{
    struct settings *settings = settings_default();
    settings->fallback_window_ms = 10000;
    settings->fallback_error_rate = 0.05;
    settings->fallback_min_requests = 20;
    settings->fallback_mismatch_window_ms = 60000;
    settings->fallback_mismatch_rate = 0.01;
    settings->fallback_min_comparisons = 10;
    return settings;
}

static void limits(void **state)
{
    (void)state;
    static const struct {
        struct fallback_news news;
        bool enabled;
        const char *reason; /* NULL: stays */
    } cases[] = {
        {{0, 0, 0, 0}, true, NULL},
        {{19, 19, 0, 0}, true, NULL}, /* too few */
        {{20, 1, 0, 0}, true, NULL},  /* the limit itself */
        {{20, 2, 0, 0},
         true,
         "2 of 20 answers from rows failed within 10 s, more than the share of 0.05 (fallback.error_rate)"},
        {{20, 2, 0, 0}, false, NULL},
        {{1000, 50, 0, 0}, true, NULL},
        {{1000, 51, 0, 0},
         true,
         "51 of 1000 answers from rows failed within 10 s, more than the share of 0.05 (fallback.error_rate)"},
        {{0, 0, 9, 9}, true, NULL},
        {{0, 0, 100, 1}, true, NULL},
        {{0, 0, 10, 1},
         true,
         "1 of 10 comparisons differed within 60 s, more than the share of 0.01 (fallback.mismatch_rate)"},
        {{0, 0, 10, 1}, false, NULL},
        {{1000, 0, 1000, 0}, true, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct settings *settings = settings_of();
        struct fallback fallback = {0};
        struct buf reason = BUF_INIT;
        settings->fallback_enabled = cases[i].enabled;
        bool back = fallback_judge(&fallback, settings, 5000, &cases[i].news, &reason);
        assert_int_equal(back, cases[i].reason != NULL);
        assert_string_equal(buf_cstr(&reason), cases[i].reason ? cases[i].reason : "");
        buf_free(&reason);
        settings_free(settings);
    }
}

/* With a rate of 0 the first bad one is too many; with 1 none is. */
static void the_ends_of_a_rate(void **state)
{
    (void)state;
    struct settings *settings = settings_of();
    struct buf reason = BUF_INIT;
    const struct fallback_news all_good = {100, 0, 100, 0};
    const struct fallback_news one_bad = {100, 1, 0, 0};
    const struct fallback_news all_bad = {100, 100, 100, 100};
    settings->fallback_error_rate = settings->fallback_mismatch_rate = 0;
    assert_false(fallback_judge(&(struct fallback){0}, settings, 0, &all_good, &reason));
    assert_true(fallback_judge(&(struct fallback){0}, settings, 0, &one_bad, &reason));
    settings->fallback_error_rate = settings->fallback_mismatch_rate = 1;
    assert_false(fallback_judge(&(struct fallback){0}, settings, 0, &all_bad, &reason));
    buf_free(&reason);
    settings_free(settings);
}

/* What adds up over several looks counts together, and what is long past does not. */
static void news_add_up(void **state)
{
    (void)state;
    struct settings *settings = settings_of();
    struct buf reason = BUF_INIT;
    struct fallback fallback = {0};
    const struct fallback_news few = {10, 1, 0, 0};
    assert_false(fallback_judge(&fallback, settings, 100000, &few, &reason));
    assert_false(fallback_judge(&fallback, settings, 111000, &few, &reason)); /* the first has left */
    assert_true(fallback_judge(&fallback, settings, 112000, &few, &reason));
    buf_free(&reason);
    settings_free(settings);
}

/* --- A watch with a keeper that has no store --- */

struct scene {
    struct fallback_watch watch;
    struct snapshot *snapshot;
    struct flag_keeper *keeper;
};

static void on_set(void *arg, struct snapshot *snapshot, struct flag_set *set)
{
    (void)arg;
    (void)snapshot;
    (void)set;
}

static void begin(struct scene *scene, const char *yaml, const struct flag_overrides *overrides)
{
    struct buf faults = BUF_INIT;
    struct err err = ERR_INIT;
    struct settings *settings = settings_parse(slice_of(yaml), "test", config_environment, NULL, &faults);
    if (!settings)
        fail_msg("%s", buf_cstr(&faults));
    scene->snapshot = snapshot_new(settings, NULL);
    const struct flag_keeper_config config = {.snapshot = scene->snapshot, .overrides = overrides, .on_set = on_set};
    scene->keeper = flag_keeper_new(&config, &err);
    assert_non_null(scene->keeper);
    fallback_watch_init(&scene->watch);
}

static void end(struct scene *scene)
{
    fallback_watch_destroy(&scene->watch);
    flag_keeper_stop(scene->keeper);
    snapshot_unref(scene->snapshot);
}

static void feed(struct scene *scene, enum flag flag, uint64_t answers, uint64_t errors)
{
    const struct fallback_news news = {.answers = answers, .errors = errors};
    struct flag_set *set = flag_keeper_set(scene->keeper);
    fallback_watch_feed(&scene->watch, scene->keeper, snapshot_settings(scene->snapshot), set, flag, &news);
    flag_set_unref(set);
}

static enum flag_mode mode_of(struct scene *scene, enum flag flag)
{
    struct flag_set *set = flag_keeper_set(scene->keeper);
    enum flag_mode mode = set->states[flag].value.mode;
    flag_set_unref(set);
    return mode;
}

static void expect_falls(struct scene *scene, const char *flag, unsigned count)
{
    struct buf page = BUF_INIT;
    struct buf line = BUF_INIT;
    fallback_watch_print(&scene->watch, &page);
    buf_printf(&line, "nof0_fallbacks_total{flag=\"%s\"} %u\n", flag, count);
    assert_non_null(strstr(buf_cstr(&page), buf_cstr(&line)));
    assert_null(strstr(page.data, "switch."));
    buf_free(&line);
    buf_free(&page);
}

static const struct flag_overrides no_overrides;

/* Only where files follow the rows. */
static void endpoints_with_good_files_fall_back(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene,
          "legacy:\n  dir: /nowhere\nendpoints:\n  trades: repo\n  positions: repo\ndual_write:\n  trades: true\n",
          &no_overrides);
    feed(&scene, FLAG_READ_TRADES, 10, 10);
    assert_int_equal(mode_of(&scene, FLAG_READ_TRADES), FLAG_REPO); /* too few to tell */
    feed(&scene, FLAG_READ_TRADES, 10, 10);
    assert_int_equal(mode_of(&scene, FLAG_READ_TRADES), FLAG_LEGACY);
    feed(&scene, FLAG_READ_TRADES, 20, 20); /* it is back already */
    feed(&scene, FLAG_READ_POSITIONS, 20, 20);
    assert_int_equal(mode_of(&scene, FLAG_READ_POSITIONS), FLAG_REPO);
    expect_falls(&scene, "read.trades", 1);
    expect_falls(&scene, "read.positions", 0);
    end(&scene);

    begin(&scene, "endpoints:\n  trades: repo\ndual_write:\n  trades: true\nlegacy:\n  dir: \"\"\n", &no_overrides);
    feed(&scene, FLAG_READ_TRADES, 20, 20);
    assert_int_equal(mode_of(&scene, FLAG_READ_TRADES), FLAG_REPO);
    end(&scene);
}

/* What happened in another mode is no reason. */
static void another_mode_begins_anew(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, "legacy:\n  dir: /nowhere\nendpoints:\n  trades: repo\ndual_write:\n  trades: true\n", &no_overrides);
    feed(&scene, FLAG_READ_TRADES, 15, 15);
    fallback_watch_forget(&scene.watch, FLAG_READ_TRADES);
    feed(&scene, FLAG_READ_TRADES, 15, 15);
    assert_int_equal(mode_of(&scene, FLAG_READ_TRADES), FLAG_REPO);
    feed(&scene, FLAG_READ_TRADES, 5, 5);
    assert_int_equal(mode_of(&scene, FLAG_READ_TRADES), FLAG_LEGACY);
    end(&scene);
}

static void the_environment_decides(void **state)
{
    (void)state;
    struct scene scene;
    struct flag_overrides overrides = {.present[FLAG_READ_TRADES] = true};
    overrides.values[FLAG_READ_TRADES].mode = FLAG_REPO;
    begin(&scene, "legacy:\n  dir: /nowhere\ndual_write:\n  trades: true\n", &overrides);
    feed(&scene, FLAG_READ_TRADES, 20, 20);
    assert_int_equal(mode_of(&scene, FLAG_READ_TRADES), FLAG_REPO);
    expect_falls(&scene, "read.trades", 0);
    end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_slides),
        cmocka_unit_test(sums_are_those_of_a_plain_count),
        cmocka_unit_test(limits),
        cmocka_unit_test(the_ends_of_a_rate),
        cmocka_unit_test(news_add_up),
        cmocka_unit_test(endpoints_with_good_files_fall_back),
        cmocka_unit_test(another_mode_begins_anew),
        cmocka_unit_test(the_environment_decides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
