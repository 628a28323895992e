#include "base/buf.h"
#include "base/json_read.h"
#include "base/log.h"
#include "base/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct capture {
    int read_end;
    int write_end;
};

static struct capture capture_start(enum log_level lowest, enum log_format format)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    log_setup(ends[1], lowest, format);
    return (struct capture){ends[0], ends[1]};
}

/* All that was logged since the start; free with buf_free. */
static struct buf capture_end(struct capture *capture)
{
    log_setup(STDERR_FILENO, LOG_INFO, LOG_TEXT);
    (void)close(capture->write_end);
    struct buf text = BUF_INIT;
    ssize_t n;
    while ((n = read(capture->read_end, buf_reserve(&text, 4096), 4096)) > 0)
        text.len += (size_t)n;
    (void)close(capture->read_end);
    (void)buf_cstr(&text);
    return text;
}

static void log_one_of_each(void)
{
    struct err err = ERR_INIT;
    (void)err_set(&err, ERR_IO, "no \"room\"");
    log_event(LOG_WARN, "test.event",
              LOG_FIELDS(log_str("plain", "http://[::1]:8888/api"), log_str("spaced", "two words"),
                         log_str("empty", ""), log_str("null", NULL), log_int("count", -5), log_double("ratio", 0.25),
                         log_double("nan", NAN), log_bool("yes", true), log_bool("no", false),
                         log_slice("ugly", SLICE("a\n\x1b[2J\x7f\xC2\x9B\xFF=\\\0z")), log_str("arrow", "\xE2\x86\x92"),
                         log_error_text(&err)));
}

static void text_lines_quote_what_needs_it(void **state)
{
    (void)state;
    struct capture capture = capture_start(LOG_INFO, LOG_TEXT);
    log_one_of_each();
    struct buf text = capture_end(&capture);
    /* "2025-10-26T04:19:12.829Z " */
    assert_true(text.len > 25);
    assert_int_equal(text.data[10], 'T');
    assert_int_equal(text.data[23], 'Z');
    assert_string_equal(
        text.data + 25,
        "warn test.event plain=http://[::1]:8888/api spaced=\"two words\" empty=\"\" null=\"\" count=-5 "
        "ratio=0.25 nan=nan yes=true no=false "
        "ugly=\"a\\n\\u001b[2J\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD=\\\\\\u0000z\" "
        "arrow=\xE2\x86\x92 error=\"no \\\"room\\\"\"\n");
    buf_free(&text);
}

static void json_lines_are_json(void **state)
{
    (void)state;
    struct capture capture = capture_start(LOG_INFO, LOG_JSON);
    log_one_of_each();
    log_event(LOG_ERROR, "test.bare", NULL);
    struct buf text = capture_end(&capture);
    char *newline = strchr(text.data, '\n');
    assert_non_null(newline);

    assert_memory_equal(text.data, "{\"time\":\"", 9);
    size_t behind_time = strlen("{\"time\":\"2025-10-26T04:19:12.829Z");
    static const char rest[] = "\",\"level\":\"warn\",\"event\":\"test.event\",\"plain\":\"http://[::1]:8888/api\","
                               "\"spaced\":\"two words\",\"empty\":\"\",\"null\":\"\",\"count\":-5,\"ratio\":0.25,"
                               "\"nan\":null,\"yes\":true,\"no\":false,\"ugly\":\"a\\n\\u001b[2J";
    assert_memory_equal(text.data + behind_time, rest, sizeof rest - 1);

    struct slice bare = {newline + 1, text.len - (size_t)(newline + 1 - text.data)};
    struct err err = ERR_INIT;
    cJSON *parsed = json_parse(bare, &err);
    assert_non_null(parsed);
    assert_string_equal(cJSON_GetObjectItem(parsed, "level")->valuestring, "error");
    assert_string_equal(cJSON_GetObjectItem(parsed, "event")->valuestring, "test.bare");
    cJSON_Delete(parsed);
    buf_free(&text);
}

static void lines_below_the_lowest_level_are_not_written(void **state)
{
    (void)state;
    struct capture capture = capture_start(LOG_WARN, LOG_TEXT);
    log_event(LOG_DEBUG, "a", NULL);
    log_event(LOG_INFO, "b", NULL);
    log_event(LOG_WARN, "c", NULL);
    log_event(LOG_ERROR, "d", NULL);
    struct buf text = capture_end(&capture);
    size_t lines = 0;
    for (size_t i = 0; i < text.len; i++)
        lines += text.data[i] == '\n';
    assert_int_equal(lines, 2);
    assert_non_null(strstr(text.data, " warn c\n"));
    assert_non_null(strstr(text.data, " error d\n"));
    buf_free(&text);
}

static void errno_is_left_alone(void **state)
{
    (void)state;
    log_setup(-1, LOG_INFO, LOG_TEXT);
    errno = ERANGE;
    log_event(LOG_ERROR, "goes.nowhere", NULL);
    assert_int_equal(errno, ERANGE);
    log_setup(STDERR_FILENO, LOG_INFO, LOG_TEXT);
}

static void a_long_line_goes_into_a_nonblocking_pipe_whole(void **state)
{
    (void)state;
    struct capture capture = capture_start(LOG_INFO, LOG_TEXT);
    assert_int_equal(fcntl(capture.write_end, F_SETFL, O_NONBLOCK), 0);
    enum { BIG = 60000 };
    char *big = malloc(BIG + 1);
    assert_non_null(big);
    memset(big, 'x', BIG);
    big[BIG] = '\0';
    log_event(LOG_INFO, "big", LOG_FIELDS(log_str("x", big)));
    struct buf text = capture_end(&capture);
    assert_int_equal(text.data[text.len - 1], '\n');
    assert_true(text.len > BIG);
    free(big);
    buf_free(&text);
}

enum { WRITERS = 4, LINES = 200 };

static void *write_lines(void *arg)
{
    int id = *(int *)arg;
    for (int i = 0; i < LINES; i++)
        log_event(LOG_INFO, "thread.line",
                  LOG_FIELDS(log_int("id", id), log_str("pad", "--------------------------------")));
    return NULL;
}

static void *change_settings(void *arg)
{
    struct capture *capture = arg;
    for (int i = 0; i < LINES; i++)
        log_setup(capture->write_end, i % 2 ? LOG_DEBUG : LOG_INFO, LOG_JSON);
    return NULL;
}

/* A pipe keeps writes of up to PIPE_BUF bytes whole, so mixed lines would show as broken JSON. */
static void lines_of_threads_never_mix(void **state)
{
    (void)state;
    struct capture capture = capture_start(LOG_INFO, LOG_JSON);
    assert_true(fcntl(capture.write_end, F_SETPIPE_SZ, 1 << 20) >= 0);
    pthread_t threads[WRITERS + 1];
    int ids[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        ids[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &ids[i]), 0);
    }
    assert_int_equal(pthread_create(&threads[WRITERS], NULL, change_settings, &capture), 0);
    for (int i = 0; i <= WRITERS; i++)
        (void)pthread_join(threads[i], NULL);

    struct buf text = capture_end(&capture);
    size_t count = 0;
    for (const char *line = text.data; *line; count++) {
        const char *end = strchr(line, '\n');
        assert_non_null(end);
        assert_true(json_check((struct slice){line, (size_t)(end - line)}, NULL, NULL));
        line = end + 1;
    }
    assert_int_equal(count, WRITERS * LINES);
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_lines_quote_what_needs_it),
        cmocka_unit_test(json_lines_are_json),
        cmocka_unit_test(lines_below_the_lowest_level_are_not_written),
        cmocka_unit_test(errno_is_left_alone),
        cmocka_unit_test(a_long_line_goes_into_a_nonblocking_pipe_whole),
        cmocka_unit_test(lines_of_threads_never_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
