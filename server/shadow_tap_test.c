/* Which answers are taken to be compared: the share that is asked for, no more than is allowed, what is left out told.
 */
#include "base/clock.h"
#include "base/testing.h"
#include "server/shadow_tap.h"

#include <stdlib.h>
#include <unistd.h>

struct scene {
    struct snapshot *snapshot;
    struct shadow *shadow;
    struct shadow_tap tap;
    struct document *document;
};

static void nothing(void *arg, const struct settings *settings, enum flag flag, bool different)
{
    (void)arg;
    (void)settings;
    (void)flag;
    (void)different;
}

/* A tap for a Postgres and a folder that are not there: what is handed over is counted as failed. */
static void begin(struct scene *scene, const char *more)
{
    struct buf yaml = BUF_INIT;
    struct buf faults = BUF_INIT;
    struct err err = ERR_INIT;
    buf_printf(&yaml, "legacy:\n  dir: /nowhere\npostgres:\n  dsn: host=/nowhere\nredis:\n  url: \"\"\n%s", more);
    struct settings *settings = settings_parse(buf_slice(&yaml), "test", config_environment, NULL, &faults);
    if (!settings)
        fail_msg("%s", buf_cstr(&faults));
    scene->snapshot = snapshot_new(settings, NULL);
    const struct shadow_config config = {.snapshot = scene->snapshot, .on_compared = nothing};
    scene->shadow = shadow_start(&config, &err);
    assert_non_null(scene->shadow);
    shadow_tap_init(&scene->tap, scene->shadow, 0, 1);
    scene->document = document_new((struct document_body){SLICE("{\"a\":1"), NULL, NULL},
                                   (struct document_tail){DOCUMENT_TAIL_END, 0});
    buf_free(&yaml);
}

static void end(struct scene *scene)
{
    document_unref(scene->document);
    shadow_free(scene->shadow);
    snapshot_unref(scene->snapshot);
}

static void go_by(struct scene *scene, enum flag_mode mode)
{
    struct flag_set set = {0};
    set.states[FLAG_READ_TRADES].value.mode = mode;
    shadow_tap_go_by(&scene->tap, snapshot_settings(scene->snapshot), &set);
}

static void note(struct scene *scene, unsigned times)
{
    for (unsigned i = 0; i < times; i++)
        shadow_tap_note(&scene->tap, FLAG_READ_TRADES, ENDPOINT_LEGACY, SLICE("/api/trades"), scene->document);
}

/* The number behind the name in the metrics. */
static long metric(struct scene *scene, const char *name)
{
    struct buf page = BUF_INIT;
    shadow_print(scene->shadow, &page);
    const char *line = strstr(buf_cstr(&page), name);
    assert_non_null(line);
    long number = strtol(line + strlen(name), NULL, 10);
    buf_free(&page);
    return number;
}

static long counted(struct scene *scene, const char *result)
{
    char name[128];
    (void)snprintf(name, sizeof name, "\nnof0_shadow_comparisons_total{endpoint=\"trades\",result=\"%s\"} ", result);
    return metric(scene, name);
}

static void await(struct scene *scene, const char *result, long number)
{
    int64_t until_ms = clock_mono_ms() + 30000;
    while (counted(scene, result) != number && clock_mono_ms() < until_ms)
        (void)usleep(1000);
    assert_int_equal(counted(scene, result), number);
}

static void modes_decide(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, "");
    for (unsigned mode = FLAG_LEGACY; mode <= FLAG_REPO; mode++) {
        go_by(&scene, (enum flag_mode)mode);
        assert_int_equal(shadow_tap_wants(&scene.tap, FLAG_READ_TRADES), mode == FLAG_SHADOW || mode == FLAG_CANARY);
        assert_false(shadow_tap_wants(&scene.tap, FLAG_READ_POSITIONS));
        assert_false(shadow_tap_wants(&scene.tap, FLAG_SWITCH_STREAM));
    }
    end(&scene);
    begin(&scene, "shadow:\n  sample: 0\n  sample_repo: 0.5\n");
    go_by(&scene, FLAG_SHADOW);
    assert_false(shadow_tap_wants(&scene.tap, FLAG_READ_TRADES));
    go_by(&scene, FLAG_REPO);
    assert_true(shadow_tap_wants(&scene.tap, FLAG_READ_TRADES));
    struct shadow_tap none;
    shadow_tap_init(&none, NULL, 0, 0);
    shadow_tap_go_by(&none, snapshot_settings(scene.snapshot), &(struct flag_set){0});
    assert_false(shadow_tap_wants(&none, FLAG_READ_TRADES));
    shadow_tap_tell(&none);
    end(&scene);
}

/* Beyond what a second allows answers are left out, and told. */
static void no_more_than_allowed(void **state)
{
    (void)state;
    struct scene scene;
    enum { TIMES = 1000 };
    begin(&scene, "shadow:\n  max_per_second: 5\n");
    go_by(&scene, FLAG_SHADOW);
    int64_t began_ms = clock_mono_ms();
    note(&scene, TIMES);
    long most = 6 + (long)(clock_mono_ms() - began_ms) * 5 / 1000;
    shadow_tap_tell(&scene.tap);
    long shed = counted(&scene, "shed");
    assert_in_range(shed, TIMES - most, TIMES - 1);
    await(&scene, "failed", TIMES - shed);
    /* Another mode: what was left out before counts for the one before. */
    note(&scene, 1);
    go_by(&scene, FLAG_LEGACY);
    assert_in_range(counted(&scene, "shed") + counted(&scene, "failed"), TIMES, TIMES + 1);
    end(&scene);
}

/* However fast answers of one flag come, two of them are taken at a time, and those of another find room. */
static void a_flag_takes_two_at_a_time(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, "shadow:\n  max_per_second: 100000\n  max_share: 1\n");
    go_by(&scene, FLAG_SHADOW);
    long most = 0;
    for (int i = 0; i < 300; i++) {
        note(&scene, 10);
        long now = metric(&scene, "\nnof0_shadow_waiting ");
        most = now > most ? now : most;
    }
    assert_in_range(most, 1, 2);
    const struct shadow_sighting other = {FLAG_READ_POSITIONS, FLAG_SHADOW, ENDPOINT_LEGACY, SLICE("/api/positions"),
                                          scene.document};
    int64_t until_ms = clock_mono_ms() + 30000;
    bool taken = false;
    while (!taken && clock_mono_ms() < until_ms) /* refused while the thread has the lock */
        taken = shadow_offer(scene.shadow, &other);
    assert_true(taken);
    end(&scene);
}

static void a_share_of_them(void **state)
{
    (void)state;
    struct scene scene;
    enum { TIMES = 20000 };
    begin(&scene, "shadow:\n  sample: 0.25\n  max_per_second: 1\n");
    go_by(&scene, FLAG_CANARY);
    note(&scene, TIMES);
    shadow_tap_tell(&scene.tap);
    long due = counted(&scene, "shed");
    /* Six standard deviations of a binomial distribution are 367. */
    assert_in_range(due, TIMES / 4 - 370, TIMES / 4 + 370);
    end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modes_decide),
        cmocka_unit_test(no_more_than_allowed),
        cmocka_unit_test(a_flag_takes_two_at_a_time),
        cmocka_unit_test(a_share_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
