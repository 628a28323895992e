#include "base/testing.h"
#include "ingest/report.h"

#include <stdlib.h>
#include <string.h>

struct streams {
    FILE *out;
    FILE *problems;
    char *out_text;
    char *problem_text;
    size_t out_size;
    size_t problem_size;
};

static void open_streams(struct streams *streams)
{
    streams->out = open_memstream(&streams->out_text, &streams->out_size);
    streams->problems = open_memstream(&streams->problem_text, &streams->problem_size);
    assert_non_null(streams->out);
    assert_non_null(streams->problems);
}

static void close_streams(struct streams *streams)
{
    (void)fclose(streams->out);
    (void)fclose(streams->problems);
    free(streams->out_text);
    free(streams->problem_text);
}

static void tell(struct report *report)
{
    report_begin_work(report, 3000000);
    report_phase(report, 1500000, "trades.json: loading");
    report_line(report, "%s: %d rows", "trades.json", 7);
    report_problem(report, "bad: %s", "line\xe2\x80\x91");
    report_end_work(report);
}

static void plain_lines(void **unused)
{
    (void)unused;
    struct streams streams;
    open_streams(&streams);
    struct report *report = report_new(streams.out, streams.problems, false, false);
    tell(report);
    report_progress(report, 1, "x");
    assert_string_equal(streams.out_text, "trades.json: 7 rows\n");
    assert_string_equal(streams.problem_text, "bad: line\xe2\x80\x91\n");
    report_free(report);
    close_streams(&streams);
}

static void quiet_leaves_problems(void **unused)
{
    (void)unused;
    struct streams streams;
    open_streams(&streams);
    struct report *report = report_new(streams.out, streams.problems, true, true);
    tell(report);
    (void)fflush(streams.out);
    assert_int_equal(streams.out_size, 0);
    assert_string_equal(streams.problem_text, "bad: line\xe2\x80\x91\n");
    report_free(report);
    close_streams(&streams);
}

/* Half of the work, on one line that is at most as wide as the screen, and gone before anything else is written. */
static void the_bar_gives_way(void **unused)
{
    (void)unused;
    struct streams streams;
    open_streams(&streams);
    struct report *report = report_new(streams.out, streams.problems, false, true);
    tell(report);
    const char *text = streams.problem_text;
    assert_ptr_equal(strstr(text, "\r[############............]  50% 1.5 MB of 3.0 MB"), text);
    const char *end = strstr(text, "\033[K");
    assert_non_null(end);
    assert_true(end - text <= 80);
    assert_string_equal(end, "\033[K\r\033[Kbad: line\xe2\x80\x91\n");
    report_phase(report, 9000000, "more than there was");
    assert_non_null(strstr(streams.problem_text, "100% 9.0 MB of 3.0 MB"));
    report_free(report);
    report_free(NULL);
    close_streams(&streams);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_lines),
        cmocka_unit_test(quiet_leaves_problems),
        cmocka_unit_test(the_bar_gives_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
