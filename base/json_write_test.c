#include "base/json_write.h"
#include "base/num.h"
#include "base/testing.h"

#include <cjson/cJSON.h>
#include <float.h>

static void assert_written(struct buf *out, const char *expected)
{
    assert_string_equal(buf_cstr(out), expected);
    buf_clear(out);
}

static void strings_escape_only_what_must_be(void **state)
{
    (void)state;
    struct buf out = BUF_INIT;
    json_put_string(&out, SLICE(""));
    assert_written(&out, "\"\"");
    json_put_string(&out, SLICE("plain / text"));
    assert_written(&out, "\"plain / text\"");
    json_put_string(&out, SLICE("\"q\" \\ \b\t\n\f\r"));
    assert_written(&out, "\"\\\"q\\\" \\\\ \\b\\t\\n\\f\\r\"");
    json_put_string(&out, SLICE("\x01\x1f\x7f"));
    assert_written(&out, "\"\\u0001\\u001f\x7f\"");
    json_put_string(&out, SLICE("a\0b"));
    assert_written(&out, "\"a\\u0000b\"");
    json_put_string(&out, SLICE("\xE2\x80\x91 \xE2\x86\x92 \xF0\x9F\x98\x80"));
    assert_written(&out, "\"\xE2\x80\x91 \xE2\x86\x92 \xF0\x9F\x98\x80\"");
    buf_free(&out);
}

static void every_byte_comes_back_from_the_parser(void **state)
{
    (void)state;
    struct buf out = BUF_INIT;
    char text[127];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i + 1);
    json_put_string(&out, (struct slice){text, sizeof text});
    cJSON *parsed = cJSON_Parse(buf_cstr(&out));
    assert_non_null(parsed);
    assert_int_equal(strlen(parsed->valuestring), sizeof text);
    assert_memory_equal(parsed->valuestring, text, sizeof text);
    cJSON_Delete(parsed);
    buf_free(&out);
}

static void doubles_beyond_exact_integers_have_an_exponent(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0.0, "0"},
        {-0.0, "-0"},
        {9007199254740992.0, "9007199254740992"},
        {-9007199254740992.0, "-9007199254740992"},
        {9007199254740994.0, "9.007199254740994e+15"},
        {-9007199254740994.0, "-9.007199254740994e+15"},
        {1e20, "1e+20"},
        {-1e20, "-1e+20"},
        {1.5e20, "1.5e+20"},
        {1e21, "1e+21"},
        {1e-7, "1e-7"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {1761452335.744, "1761452335.744"},
    };
    struct buf out = BUF_INIT;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_put_double(&out, cases[i].value);
        double back;
        assert_true(num_parse_double(buf_slice(&out), &back));
        assert_memory_equal(&back, &cases[i].value, sizeof back);
        assert_written(&out, cases[i].text);
    }
    buf_free(&out);
}

static void the_writer_puts_commas(void **state)
{
    (void)state;
    struct buf out = BUF_INIT;
    struct json_writer w = json_writer_on(&out);
    json_begin_object(&w);
    json_key(&w, SLICE("empty"));
    json_begin_array(&w);
    json_end_array(&w);
    json_key(&w, SLICE("list"));
    json_begin_array(&w);
    json_i64(&w, -3);
    json_begin_object(&w);
    json_end_object(&w);
    json_begin_array(&w);
    json_null(&w);
    json_bool(&w, true);
    json_end_array(&w);
    json_raw(&w, SLICE("{\"raw\":1}"));
    json_end_array(&w);
    json_key(&w, SLICE("a\"b"));
    json_string(&w, SLICE("x"));
    json_key(&w, SLICE("n"));
    json_double(&w, 0.5);
    json_end_object(&w);
    assert_written(&out, "{\"empty\":[],\"list\":[-3,{},[null,true],{\"raw\":1}],\"a\\\"b\":\"x\",\"n\":0.5}");
    buf_free(&out);
}

static void a_tree_is_written_back_as_it_was(void **state)
{
    (void)state;
    static const char text[] = "{\"z\":[1,-0,1e+20,0.1,[],{}],\"a\":{\"n\":null,\"t\":true,\"f\":false},"
                               "\"s\":\"\\n\xE2\x86\x92\\\"\",\"\":1122014183665846}";
    cJSON *tree = cJSON_Parse(text);
    assert_non_null(tree);
    struct buf out = BUF_INIT;
    json_put_cjson(&out, tree);
    assert_written(&out, text);
    cJSON_Delete(tree);
    buf_free(&out);
}

static void test_blanks_between_tokens_go_and_those_in_strings_stay(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{\"a b\": [1, -0, {}], \"c\\\" d\": \" x , y \"}", "{\"a b\":[1,-0,{}],\"c\\\" d\":\" x , y \"}"},
        {" \t\r\n null \n", "null"},
        {"\"\\\\\" ", "\"\\\\\""},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = BUF_INIT;
        buf_append_str(&out, ">");
        json_put_compact(&out, slice_of(cases[i][0]));
        assert_string_equal(buf_cstr(&out) + 1, cases[i][1]);
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_escape_only_what_must_be),
        cmocka_unit_test(every_byte_comes_back_from_the_parser),
        cmocka_unit_test(doubles_beyond_exact_integers_have_an_exponent),
        cmocka_unit_test(the_writer_puts_commas),
        cmocka_unit_test(a_tree_is_written_back_as_it_was),
        cmocka_unit_test(test_blanks_between_tokens_go_and_those_in_strings_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
