#include "base/testing.h"
#include "cli/parity_text.h"

static void same(const struct buf *out, const char *expected)
{
    struct slice text = buf_slice(out);
    if (!slice_is(text, expected))
        fail_msg("\"%.*s\" instead of \"%s\"", SLICE_ARG(text), expected);
}

static void nothing_steers_the_terminal(void **state)
{
    (void)state;
    static const struct {
        const char *text, *safe;
    } cases[] = {
        {"", ""},
        {"plain \"text\" | \\u0041", "plain \"text\" | \\u0041"},
        {"\x1b[2J\x07\x7f\r\n\t", "\\u001b[2J\\u0007\\u007f\\u000d\\u000a\\u0009"},
        {"\xc2\x9b"
         "31m",
         "\\u009b31m"}, /* the C1 control that begins a sequence */
        {"a\xe2\x80\xae"
         "b\xe2\x81\xa6",
         "a\\u202eb\\u2066"},                           /* direction */
        {"\xe2\x80\x8b\xef\xbb\xbf", "\\u200b\\ufeff"}, /* invisible */
        {"\xf3\xa0\x81\x81", "\\udb40\\udc41"},         /* a tag character */
        {"\xff\xc0\xaf\xed\xa0\x80", "\\xff\\xc0\\xaf\\xed\\xa0\\x80"},
        {"\xf0\x9f\x9a", "\\xf0\\x9f\\x9a"}, /* cut off */
        {"\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x9a\x80", "\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x9a\x80"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = BUF_INIT;
        parity_text_put(&out, slice_of(cases[i].text));
        same(&out, cases[i].safe);
        buf_free(&out);
    }
}

/* Every code point: what comes out is printable, and safe already. */
static void every_character_is_safe_twice(void **state)
{
    (void)state;
    for (unsigned point = 0; point < 0x110000; point++) {
        char text[5] = "";
        if (point >= 0xd800 && point <= 0xdfff)
            continue;
        if (point < 0x80) {
            text[0] = (char)point;
        } else if (point < 0x800) {
            text[0] = (char)(0xc0 | point >> 6);
            text[1] = (char)(0x80 | (point & 0x3f));
        } else if (point < 0x10000) {
            text[0] = (char)(0xe0 | point >> 12);
            text[1] = (char)(0x80 | (point >> 6 & 0x3f));
            text[2] = (char)(0x80 | (point & 0x3f));
        } else {
            text[0] = (char)(0xf0 | point >> 18);
            text[1] = (char)(0x80 | (point >> 12 & 0x3f));
            text[2] = (char)(0x80 | (point >> 6 & 0x3f));
            text[3] = (char)(0x80 | (point & 0x3f));
        }
        struct buf once = BUF_INIT;
        struct buf twice = BUF_INIT;
        parity_text_put(&once, (struct slice){text, point ? strlen(text) : 1});
        for (size_t i = 0; i < once.len; i++)
            assert_true((unsigned char)once.data[i] >= ' ' && once.data[i] != 0x7f);
        parity_text_put(&twice, buf_slice(&once));
        assert_true(slice_equal(buf_slice(&once), buf_slice(&twice)));
        assert_true(parity_text_width(buf_slice(&once)) <= 12);
        buf_free(&once);
        buf_free(&twice);
    }
}

static void widths_are_columns(void **state)
{
    (void)state;
    assert_int_equal(parity_text_width(slice_of("")), 0);
    assert_int_equal(parity_text_width(slice_of("abc")), 3);
    assert_int_equal(parity_text_width(slice_of("\xc3\xa9")), 1);
    assert_int_equal(parity_text_width(slice_of("e\xcc\x81")), 1);
    assert_int_equal(parity_text_width(slice_of("\xe6\xbc\xa2\xf0\x9f\x9a\x80")), 4);
}

static void cuts_fit(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "a",
                                        "0123456789",
                                        "\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2",
                                        "a\xf0\x9f\x9a\x80\xc3\xa9z",
                                        "e\xcc\x81\xcc\x81"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        for (size_t columns = 1; columns < 12; columns++) {
            struct buf out = BUF_INIT;
            struct buf safe = BUF_INIT;
            parity_text_cut_end(&out, slice_of(texts[i]), columns);
            assert_true(parity_text_width(buf_slice(&out)) <= columns);
            parity_text_put(&safe, buf_slice(&out));
            assert_true(slice_equal(buf_slice(&safe), buf_slice(&out))); /* no character was torn */
            buf_clear(&out);
            parity_text_cut_middle(&out, slice_of(texts[i]), columns);
            assert_true(parity_text_width(buf_slice(&out)) <= columns);
            buf_clear(&safe);
            parity_text_put(&safe, buf_slice(&out));
            assert_true(slice_equal(buf_slice(&safe), buf_slice(&out)));
            buf_free(&out);
            buf_free(&safe);
        }
    }
    struct buf out = BUF_INIT;
    parity_text_cut_end(&out, slice_of("0123456789"), 5);
    same(&out, "0123\xe2\x80\xa6");
    buf_clear(&out);
    parity_text_cut_middle(&out, slice_of("0123456789"), 5);
    same(&out, "01\xe2\x80\xa6"
               "89");
    buf_free(&out);
}

static void the_common_beginning_ends_at_a_character(void **state)
{
    (void)state;
    assert_int_equal(parity_text_common(slice_of("abc"), slice_of("abd")), 2);
    assert_int_equal(parity_text_common(slice_of("abc"), slice_of("abc")), 3);
    assert_int_equal(parity_text_common(slice_of(""), slice_of("abc")), 0);
    assert_int_equal(parity_text_common(slice_of("\xc3\xa9"), slice_of("\xc3\xa8")), 0);
    assert_int_equal(parity_text_common(slice_of("x\xf0\x9f\x9a\x80"), slice_of("x\xf0\x9f\x9a\x81")), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_steers_the_terminal),
        cmocka_unit_test(every_character_is_safe_twice),
        cmocka_unit_test(widths_are_columns),
        cmocka_unit_test(cuts_fit),
        cmocka_unit_test(the_common_beginning_ends_at_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
