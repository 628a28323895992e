/* Which differences count, with sources that say another thing at each look. The real sources are in
 * tests/blackbox/test_parity.py. */
#include "base/testing.h"
#include "cli/parity_check.h"
#include "cli/parity_source.h"

#include <stdlib.h>

/* Says the texts one after the other, a look each, and then the last one for ever. */
struct told {
    struct parity_source source;
    const char *const *texts; /* "" has nothing, "!" fails; NULL ends them */
    size_t looks;
    const char *models; /* names with blanks */
};

static bool look(struct parity_source *source, struct err *err)
{
    struct told *told = (struct told *)(void *)source;
    (void)err;
    if (told->looks == 0 || told->texts[told->looks])
        told->looks++;
    return true;
}

static const char *current(const struct told *told)
{
    const char *text = told->texts[told->looks - 1];
    return text ? text : told->texts[told->looks - 2];
}

static bool models(struct parity_source *source, struct name_set *names, struct err *err)
{
    const struct told *told = (const struct told *)(const void *)source;
    if (strcmp(current(told), "!") == 0)
        return err_set(err, ERR_UNAVAILABLE, "out of order");
    for (const char *p = told->models ? told->models : ""; *p;) {
        size_t n = strcspn(p, " ");
        name_set_add(names, (struct slice){p, n});
        p += n + (p[n] == ' ');
    }
    return true;
}

static bool read_text(struct parity_source *source, const struct endpoint *endpoint, struct slice model,
                      struct buf *json, struct err *err)
{
    const struct told *told = (const struct told *)(const void *)source;
    (void)endpoint;
    if (strcmp(current(told), "!") == 0)
        return err_set(err, ERR_UNAVAILABLE, "out of order");
    for (const char *p = current(told); *p; p++) {
        if (*p == '@')
            buf_append_slice(json, model);
        else
            buf_append_char(json, *p);
    }
    return true;
}

static void close_told(struct parity_source *source)
{
    free(source);
}

static struct parity_source *told_new(enum parity_source_kind kind, const char *const *texts, const char *models_)
{
    static const struct parity_source_ops ops = {look, models, read_text, close_told};
    struct told *told = calloc(1, sizeof *told);
    assert_non_null(told);
    told->source = (struct parity_source){&ops, kind, strdup(kind == PARITY_FROM_REPO ? "repo" : "files")};
    told->texts = texts;
    told->models = models_;
    return &told->source;
}

#define TEXTS(...)                                                                                                     \
    (const char *const[])                                                                                              \
    {                                                                                                                  \
        __VA_ARGS__, NULL                                                                                              \
    }

/* One row with one number. */
#define ROW(n) "{\"leaderboard\":[{\"id\":\"a\",\"num_trades\":" #n "}]}"
#define ROWS(n, m) "{\"leaderboard\":[{\"id\":\"a\",\"num_trades\":" #n "},{\"id\":\"b\",\"num_trades\":" #m "}]}"

struct trial {
    const char *name;
    const char *const *left, *const *right;
    enum parity_source_kind kind; /* of the right one */
    int64_t confirm;
    enum parity_verdict verdict;
    unsigned looks;
    uint64_t differences, unsettled;
    int code;
};

static const struct parity_result *run_trial(const struct trial *trial, struct parity_check **check)
{
    struct parity_check_options options = {.keep = 20, .confirm = trial->confirm, .pause_ms = 1, .stop_fd = -1};
    options.endpoints[READ_LEADERBOARD] = true;
    *check = parity_check_on(&options, told_new(PARITY_FROM_FOLDER, trial->left, NULL),
                             told_new(trial->kind, trial->right, NULL));
    return parity_check_run(*check);
}

static void what_counts(void **state)
{
    (void)state;
    const enum parity_source_kind moving = PARITY_FROM_REPO;
    const enum parity_source_kind still = PARITY_FROM_FOLDER;
    const struct trial trials[] = {
        {"equal", TEXTS(ROW(1)), TEXTS(ROW(1)), moving, 2, PARITY_EQUAL, 1, 0, 0, 0},
        {"nothing", TEXTS(""), TEXTS(""), moving, 2, PARITY_NOTHING, 1, 0, 0, 0},
        {"one lacks it", TEXTS(""), TEXTS(ROW(1)), moving, 2, PARITY_NOT_COMPARED, 1, 0, 0, 2},
        {"the other lacks it", TEXTS(ROW(1)), TEXTS(""), moving, 2, PARITY_NOT_COMPARED, 1, 0, 0, 2},
        {"fails", TEXTS(ROW(1)), TEXTS("!"), moving, 2, PARITY_NOT_COMPARED, 1, 0, 0, 2},
        {"lasts", TEXTS(ROW(1)), TEXTS(ROW(2)), moving, 2, PARITY_DIFFERENT, 3, 1, 0, 1},
        {"lasts, asked once more", TEXTS(ROW(1)), TEXTS(ROW(2)), moving, 1, PARITY_DIFFERENT, 2, 1, 0, 1},
        {"lasts, never asked again", TEXTS(ROW(1)), TEXTS(ROW(2)), moving, 0, PARITY_DIFFERENT, 1, 1, 0, 1},
        {"folders are read once", TEXTS(ROW(1)), TEXTS(ROW(2)), still, 2, PARITY_DIFFERENT, 1, 1, 0, 1},
        {"catches up", TEXTS(ROW(1)), TEXTS(ROW(2), ROW(1)), moving, 2, PARITY_EQUAL, 2, 0, 0, 0},
        {"catches up late", TEXTS(ROW(1)), TEXTS(ROW(2), ROW(2), ROW(1)), moving, 2, PARITY_EQUAL, 3, 0, 0, 0},
        {"one of two lasts", TEXTS(ROWS(1, 1)), TEXTS(ROWS(2, 2), ROWS(2, 1)), moving, 2, PARITY_DIFFERENT, 3, 1, 0, 1},
        {"one of two moves on", TEXTS(ROWS(1, 1)), TEXTS(ROWS(2, 2), ROWS(2, 3), ROWS(2, 4)), moving, 2,
         PARITY_DIFFERENT, 3, 1, 1, 1},
        {"moves, then stays", TEXTS(ROW(1)), TEXTS(ROW(2), ROW(3), ROW(4)), moving, 2, PARITY_DIFFERENT, 5, 1, 0, 1},
        {"never stays", TEXTS(ROW(1)), TEXTS(ROW(2), ROW(3), ROW(4), ROW(5), ROW(6), ROW(7), ROW(8)), moving, 2,
         PARITY_UNSETTLED, 7, 0, 1, 0},
        {"both move", TEXTS(ROW(1), ROW(2), ROW(3), ROW(4)), TEXTS(ROW(2), ROW(3), ROW(4), ROW(5)), moving, 1,
         PARITY_UNSETTLED, 4, 0, 1, 0},
        {"fails at the second look", TEXTS(ROW(1)), TEXTS(ROW(2), "!"), moving, 2, PARITY_NOT_COMPARED, 2, 0, 0, 2},
    };
    for (size_t i = 0; i < sizeof trials / sizeof trials[0]; i++) {
        const struct trial *trial = &trials[i];
        struct parity_check *check;
        const struct parity_result *result = run_trial(trial, &check);
        const struct parity_endpoint *endpoint = &result->endpoints[0];
        if (endpoint->verdict != trial->verdict || result->looks != trial->looks ||
            parity_counts_sum(&endpoint->counts) != trial->differences || endpoint->unsettled != trial->unsettled ||
            parity_result_code(result) != trial->code)
            fail_msg("%s: %s after %u looks, %d differences, %d unsettled, code %d", trial->name,
                     parity_verdict_name(endpoint->verdict), result->looks, (int)parity_counts_sum(&endpoint->counts),
                     (int)endpoint->unsettled, parity_result_code(result));
        assert_int_equal(endpoint->pair_count, 1);
        assert_int_equal((endpoint->reason != NULL), trial->verdict == PARITY_NOT_COMPARED);
        assert_int_equal((endpoint->pairs[0].findings != NULL), trial->verdict == PARITY_DIFFERENT);
        parity_check_close(check);
    }
}

static void reasons_name_the_side(void **state)
{
    (void)state;
    struct parity_check *check;
    struct trial trial = {.left = TEXTS(ROW(1)), .right = TEXTS("!"), .kind = PARITY_FROM_REPO};
    assert_string_equal(run_trial(&trial, &check)->endpoints[0].reason, "repo: out of order");
    parity_check_close(check);
    trial.right = TEXTS("");
    assert_string_equal(run_trial(&trial, &check)->endpoints[0].reason,
                        "repo: has nothing of it, and the other side has");
    parity_check_close(check);
    trial.left = TEXTS("");
    trial.right = TEXTS(ROW(1));
    assert_string_equal(run_trial(&trial, &check)->endpoints[0].reason,
                        "files: has nothing of it, and the other side has");
    parity_check_close(check);
}

/* A check is run again and again: nothing of the round before is left. */
static void rounds_are_apart(void **state)
{
    (void)state;
    struct parity_check *check;
    const struct trial trial = {
        .left = TEXTS(ROW(1)), .right = TEXTS(ROW(1), ROW(2), "!", ROW(1)), .kind = PARITY_FROM_REPO};
    static const enum parity_verdict verdicts[] = {PARITY_EQUAL, PARITY_DIFFERENT, PARITY_NOT_COMPARED, PARITY_EQUAL};
    const struct parity_result *result = run_trial(&trial, &check);
    for (size_t i = 0; i < 4; i++) {
        assert_non_null(result);
        assert_int_equal(result->endpoints[0].verdict, verdicts[i]);
        result = parity_check_run(check);
    }
    parity_check_close(check);
}

#define ONE(n) "{\"analytics\":{\"id\":\"@\",\"model_id\":\"@\",\"n\":" #n "}}"

static void analytics_of(const char *left, const char *right, const char *only, enum parity_verdict verdict,
                         uint64_t comparisons, uint64_t failures)
{
    struct parity_check_options options = {.keep = 20, .model = only, .stop_fd = -1};
    options.endpoints[READ_ANALYTICS_ONE] = true;
    struct parity_check *check = parity_check_on(&options, told_new(PARITY_FROM_FOLDER, TEXTS(ONE(1)), left),
                                                 told_new(PARITY_FROM_REPO, TEXTS(ONE(1)), right));
    const struct parity_result *result = parity_check_run(check);
    assert_int_equal(result->endpoints[0].verdict, verdict);
    assert_int_equal(result->endpoints[0].comparisons, comparisons);
    assert_int_equal(result->endpoints[0].failures, failures);
    if (only && verdict == PARITY_NOTHING)
        assert_int_equal(parity_result_code(result), 2);
    parity_check_close(check);
}

static void analytics_are_compared_by_model(void **state)
{
    (void)state;
    analytics_of("a b", "b a", NULL, PARITY_EQUAL, 2, 0);
    analytics_of("a b", "b c", NULL, PARITY_EQUAL, 3, 0);
    analytics_of("a b", "b c", "c", PARITY_EQUAL, 1, 0);
    analytics_of("a b", "b c", "d", PARITY_NOTHING, 0, 0);
    analytics_of("", "", NULL, PARITY_NOTHING, 0, 0);
    analytics_of("a b", "", NULL, PARITY_NOT_COMPARED, 0, 1);
    analytics_of("", "a b", NULL, PARITY_NOT_COMPARED, 0, 1);
}

static void one_model_and_samples(void **state)
{
    (void)state;
    struct parity_check_options options = {.keep = 20, .model = "b", .stop_fd = -1};
    options.endpoints[READ_LEADERBOARD] = true;
    struct parity_check *check = parity_check_on(&options, told_new(PARITY_FROM_FOLDER, TEXTS(ROWS(1, 1)), NULL),
                                                 told_new(PARITY_FROM_FOLDER, TEXTS(ROWS(2, 1)), NULL));
    const struct parity_result *result = parity_check_run(check);
    assert_int_equal(result->endpoints[0].verdict, PARITY_EQUAL);
    assert_int_equal(result->endpoints[0].left.rows, 1);
    parity_check_close(check);

    options.model = "c";
    check = parity_check_on(&options, told_new(PARITY_FROM_FOLDER, TEXTS(ROWS(1, 1)), NULL),
                            told_new(PARITY_FROM_FOLDER, TEXTS(ROWS(2, 1)), NULL));
    result = parity_check_run(check);
    assert_int_equal(result->endpoints[0].verdict, PARITY_NOTHING);
    assert_int_equal(parity_result_code(result), 2);
    parity_check_close(check);

    options.model = NULL;
    options.sample = (struct parity_sample){.kind = PARITY_SAMPLE_ROWS, .rows = 1};
    check = parity_check_on(&options, told_new(PARITY_FROM_FOLDER, TEXTS(ROWS(1, 1)), NULL),
                            told_new(PARITY_FROM_FOLDER, TEXTS(ROWS(2, 2)), NULL));
    result = parity_check_run(check);
    assert_int_equal(result->endpoints[0].left.rows, 1);
    assert_int_equal(result->endpoints[0].left.of_rows, 2);
    assert_int_equal(parity_counts_sum(&result->endpoints[0].counts), 1);
    parity_check_close(check);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_counts),           cmocka_unit_test(reasons_name_the_side),
        cmocka_unit_test(rounds_are_apart),      cmocka_unit_test(analytics_are_compared_by_model),
        cmocka_unit_test(one_model_and_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
