#include "base/buf.h"
#include "base/testing.h"
#include "ingest/event_split.h"

#include <stdint.h>
#include <string.h>

static bool gather(void *arg, struct slice item)
{
    buf_append_slice(arg, item);
    buf_append_char(arg, '|');
    return true;
}

/* What came of a text: its items, then the fault. */
static void split(const char *text, const char *expected)
{
    struct err err = ERR_INIT;
    struct buf said = BUF_INIT;
    if (!event_split_json(slice_of(text), gather, &said, &err)) {
        assert_int_equal(err.code, ERR_INVALID);
        buf_append_str(&said, err.text);
    }
    if (strcmp(buf_cstr(&said), expected) != 0)
        fail_msg("%s gave %s, not %s", text, said.data, expected);
    buf_free(&said);
}

static void an_array_gives_its_elements(void **state)
{
    (void)state;
    split("[]", "");
    split(" [ ] ", "");
    split("[1]", "1|");
    split("\n[ {\"a\":[1,2]} ,\t{\"b\":\"],[\"} , null]\r\n", "{\"a\":[1,2]}|{\"b\":\"],[\"}|null|");
    split("[\"\\\"]\",[[],[]],x y]", "\"\\\"]\"|[[],[]]|x y|");
}

static void anything_else_is_one_item(void **state)
{
    (void)state;
    split("{\"a\":1}", "{\"a\":1}|");
    split("  {\n\"a\":1}\n", "  {\n\"a\":1}\n|");
    split("{} {}", "{} {}|");
    split("x", "x|");
}

static void an_array_that_cannot_be_taken_apart(void **state)
{
    (void)state;
    split("", "line 1, column 1: there is no JSON");
    split("\n ", "line 2, column 2: there is no JSON");
    split("[", "line 1, column 2: the array does not end");
    split("[1", "line 1, column 3: the array does not end");
    split("[1,", "1|line 1, column 4: the array does not end");
    split("[1 ", "line 1, column 4: the array does not end");
    split("[1,]", "1|line 1, column 4: a value belongs here");
    split("[,1]", "line 1, column 2: a value belongs here");
    split("[{} {}]", "{}|line 1, column 5: a comma or the end of the array belongs here");
    split("[{}}", "{}|line 1, column 4: a comma or the end of the array belongs here");
    split("[\"abc]", "line 1, column 7: the array does not end");
    split("[\"abc\\", "line 1, column 7: the array does not end");
    split("[1]\n[2]", "1|line 2, column 1: something follows the array");
}

/* The same text in windows that grow by `step` bytes, each dropping what is done with. */
static void split_windows(struct slice text, size_t step, struct buf *said)
{
    struct event_array array = {0};
    struct slice item = {NULL, 0};
    const char *what = NULL;
    size_t from = 0;
    size_t to = 0;
    for (;;) {
        switch (event_array_next(&array, (struct slice){text.p + from, to - from}, to == text.n, &item, &what)) {
        case EVENT_STEP_ITEM:
            (void)gather(said, item);
            break;
        case EVENT_STEP_MORE:
            assert_true(to < text.n);
            from += array.at;
            array.at = 0;
            to = text.n - to < step ? text.n : to + step;
            break;
        case EVENT_STEP_END:
            return;
        case EVENT_STEP_FAULT:
            buf_printf(said, "%zu %s", from + array.at, what);
            return;
        }
    }
}

static void how_it_comes_does_not_matter(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "[]",       " [ ] ",    "[ {\"a\":[1,2]} ,\t{\"b\":\"],[\\\"\"} , null ]\r\n",
        "[1,2,3",   "[1,]",     "[{}}",
        "[\"abc\\", "[1]\n[2]", "[12 , 3 4,{}  ]x",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct buf whole = BUF_INIT;
        split_windows(slice_of(texts[i]), SIZE_MAX, &whole);
        for (size_t step = 1; step < 5; step++) {
            struct buf pieces = BUF_INIT;
            split_windows(slice_of(texts[i]), step, &pieces);
            if (strcmp(buf_cstr(&pieces), buf_cstr(&whole)) != 0)
                fail_msg("%s in steps of %zu gave %s, not %s", texts[i], step, pieces.data, whole.data);
            buf_free(&pieces);
        }
        buf_free(&whole);
    }
}

static bool stop(void *arg, struct slice item)
{
    (void)item;
    return ++*(int *)arg < 2;
}

static void whoever_is_told_may_stop(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    int count = 0;
    assert_false(event_split_json(SLICE("[1,2,3"), stop, &count, &err));
    assert_int_equal(err.code, ERR_NONE);
    assert_int_equal(count, 2);
}

static void lines_come_one_by_one(void **state)
{
    (void)state;
    struct slice text = SLICE(" {\"a\":1} \r\n\n\t\nlast");
    struct slice line;
    assert_true(event_next_line(&text, false, &line));
    assert_true(slice_is(line, "{\"a\":1}"));
    assert_true(event_next_line(&text, false, &line));
    assert_int_equal(line.n, 0);
    assert_true(event_next_line(&text, false, &line));
    assert_int_equal(line.n, 0);
    assert_false(event_next_line(&text, false, &line));
    assert_true(slice_is(text, "last"));
    assert_true(event_next_line(&text, true, &line));
    assert_true(slice_is(line, "last"));
    assert_false(event_next_line(&text, true, &line));
    struct slice nothing = {NULL, 0};
    assert_false(event_next_line(&nothing, true, &line));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_array_gives_its_elements),
        cmocka_unit_test(anything_else_is_one_item),
        cmocka_unit_test(an_array_that_cannot_be_taken_apart),
        cmocka_unit_test(how_it_comes_does_not_matter),
        cmocka_unit_test(whoever_is_told_may_stop),
        cmocka_unit_test(lines_come_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
