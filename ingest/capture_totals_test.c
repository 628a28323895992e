#include "base/testing.h"
#include "ingest/capture_totals.h"

#define ROW(id, model, time, hour)                                                                                     \
    "{\"id\":\"" id "\",\"model_id\":\"" model "\",\"timestamp\":" time ",\"since_inception_hourly_marker\":" hour "}"
#define LIST(rows) "{\"accountTotals\":[" rows "],\"serverTime\":5}"

static const char full[] = LIST(ROW("a_0", "a", "10", "0") "," ROW("a_1", "a", "20", "1") "," ROW(
    "b_0", "b", "20", "0") "," ROW("a_2", "a", "30", "2") "," ROW("b_1", "b", "30", "1"));

static void what_to_ask_from(void **state)
{
    (void)state;
    struct capture_markers markers;
    assert_true(capture_totals_markers(SLICE(full), &markers));
    assert_int_equal(markers.from, 1);
    assert_int_equal(markers.highest, 2);
    assert_false(capture_totals_markers(SLICE(LIST("")), &markers));
    assert_false(capture_totals_markers(SLICE(LIST("{\"id\":\"a\",\"model_id\":\"a\",\"timestamp\":1}")), &markers));
    assert_false(
        capture_totals_markers(SLICE(LIST(ROW("a_0", "a", "1", "0") "," ROW("a_0", "a", "2", "1"))), &markers));
    assert_false(capture_totals_markers(SLICE(LIST(ROW("a_0", "a", "1", "-1"))), &markers));
}

static void merged(const char *part, enum capture_totals expected, const char *text)
{
    struct buf out = BUF_INIT;
    assert_int_equal(capture_totals_merge(SLICE(full), slice_of(part), 1, &out), expected);
    assert_string_equal(out.len ? buf_cstr(&out) : "", text);
    buf_free(&out);
}

static void parts_continue_the_list(void **state)
{
    (void)state;
    merged("{\"accountTotals\":[" ROW("a_1", "a", "20", "1") "," ROW("a_2", "a", "35", "2") "," ROW(
               "b_1", "b", "38", "1") "," ROW("a_3", "a", "38", "3") "],\"lastHourlyMarkerRead\":3,\"serverTime\":9}",
           CAPTURE_TOTALS_MERGED,
           "{\"accountTotals\":[" ROW("a_0", "a", "10", "0") "," ROW("a_1", "a", "20", "1") "," ROW(
               "b_0", "b", "20",
               "0") "," ROW("a_2", "a", "35",
                            "2") "," ROW("b_1", "b", "38",
                                         "1") "," ROW("a_3", "a", "38",
                                                      "3") "],\"lastHourlyMarkerRead\":3,\"serverTime\":9}");
    /* A row of an hour that was asked for and did not come is gone. */
    merged("{\"accountTotals\":[" ROW("a_2", "a", "30", "2") "]}", CAPTURE_TOTALS_MERGED,
           "{\"accountTotals\":[" ROW("a_0", "a", "10", "0") "," ROW("b_0", "b", "20", "0") "," ROW("a_2", "a", "30",
                                                                                                    "2") "]}");
}

static void a_server_that_ignores_the_parameter_is_noticed(void **state)
{
    (void)state;
    merged(full, CAPTURE_TOTALS_WHOLE, "");
    merged(LIST("{\"id\":\"x\",\"model_id\":\"x\",\"timestamp\":1}"), CAPTURE_TOTALS_WHOLE, "");
}

static void an_empty_part_does_not_continue(void **state)
{
    (void)state;
    merged(LIST(""), CAPTURE_TOTALS_LOST, "");
    struct buf out = BUF_INIT;
    assert_int_equal(capture_totals_merge(SLICE(""), SLICE(full), 1, &out), CAPTURE_TOTALS_LOST);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_to_ask_from),
        cmocka_unit_test(parts_continue_the_list),
        cmocka_unit_test(a_server_that_ignores_the_parameter_is_noticed),
        cmocka_unit_test(an_empty_part_does_not_continue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
