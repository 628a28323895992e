#include "base/testing.h"
#include "server/metrics.h"

#include <stdlib.h>

static bool has_line(const char *page, const char *line)
{
    size_t n = strlen(line);
    for (const char *at = strstr(page, line); at; at = strstr(at + 1, line))
        if ((at == page || at[-1] == '\n') && at[n] == '\n')
            return true;
    return false;
}

static void test_workers_are_added_up(void **state)
{
    (void)state;
    struct answer_shared shared;
    answer_shared_init(&shared);
    struct worker_report reports[2] = {
        {.http.requests = 5, .hot_hits = 2, .answers = {.hits = 3, .bytes = 1000, .redis.waits = 1}},
        {.http.requests = 7, .answers = {.hits = 4, .bytes = 24, .stale_errors = 9}},
    };
    struct worker_report sum;
    struct buf page = BUF_INIT;
    cache_floors_back(&shared.floors);
    metrics_sum(reports, 2, &sum);
    metrics_print(&sum, &shared, &page);
    const char *text = buf_cstr(&page);
    assert_true(has_line(text, "nof0_http_requests_total 12"));
    assert_true(has_line(text, "nof0_cache_reads_total{result=\"target\"} 2"));
    assert_true(has_line(text, "nof0_cache_reads_total{result=\"hit\"} 7"));
    assert_true(has_line(text, "nof0_cache_bytes 1024"));
    assert_true(has_line(text, "nof0_cache_waits_total 1"));
    assert_true(has_line(text, "nof0_cache_stale_if_error_total 9"));
    assert_true(has_line(text, "nof0_cache_announcements_heard 1"));
    buf_free(&page);
    answer_shared_destroy(&shared);
}

static void test_lanes_are_told(void **state)
{
    (void)state;
    const struct event_lanes_counts counts = {.accepted = 1,
                                              .duplicate = 2,
                                              .rejected = 3,
                                              .transactions = 4,
                                              .failures = 5,
                                              .refused = 6,
                                              .queued_bytes = 7};
    struct buf page = BUF_INIT;
    metrics_print_lanes(&counts, &page);
    static const char *const lines[] = {
        "nof0_ingest_items_total{result=\"accepted\"} 1",
        "nof0_ingest_items_total{result=\"duplicate\"} 2",
        "nof0_ingest_items_total{result=\"rejected\"} 3",
        "nof0_ingest_transactions_total 4",
        "nof0_ingest_failures_total 5",
        "nof0_ingest_refused_total 6",
        "# TYPE nof0_ingest_queued_bytes gauge",
        "nof0_ingest_queued_bytes 7",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        assert_true(has_line(buf_cstr(&page), lines[i]));
    buf_free(&page);
}

/* Prometheus refuses a page on which a name is described twice, or a sample stands apart from its description. */
static void test_each_name_is_described_once_before_its_samples(void **state)
{
    (void)state;
    struct answer_shared shared;
    answer_shared_init(&shared);
    struct worker_report sum;
    struct buf page = BUF_INIT;
    metrics_sum(NULL, 0, &sum);
    metrics_print(&sum, &shared, &page);
    metrics_print_lanes(&(struct event_lanes_counts){.accepted = 0}, &page);
    char *text = buf_cstr(&page);
    char described[128] = "";
    size_t names = 0;
    for (char *rest = NULL, *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char name[128];
        if (sscanf(line, "# HELP %127s", name) == 1) {
            assert_string_not_equal(name, described);
            memcpy(described, name, sizeof described);
            names++;
        } else if (sscanf(line, "# TYPE %127s", name) == 1 || sscanf(line, "%127[a-z0-9_]", name) == 1) {
            assert_string_equal(name, described);
        }
    }
    assert_true(names > 20);
    buf_free(&page);
    answer_shared_destroy(&shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_workers_are_added_up),
        cmocka_unit_test(test_lanes_are_told),
        cmocka_unit_test(test_each_name_is_described_once_before_its_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
