#include "base/clock.h"
#include "base/file.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/testing.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

struct faults {
    struct json_fault list[32];
    size_t count;
};

static bool collect(void *arg, const struct json_fault *fault)
{
    struct faults *faults = arg;
    assert_in_range(faults->count, 0, 31);
    faults->list[faults->count++] = *fault;
    return true;
}

static struct faults faults_of(struct slice text)
{
    struct faults faults = {.count = 0};
    bool good = json_check(text, collect, &faults);
    assert_int_equal(good, faults.count == 0);
    assert_int_equal(json_check(text, NULL, NULL), good);
    return faults;
}

/* Exactly one fault, "line:column path: what". */
static void assert_fault(const char *text, size_t n, const char *expected)
{
    struct faults faults = faults_of((struct slice){text, n});
    if (faults.count != 1)
        fail_msg("%zu faults in %s, not one: %s", faults.count, text, expected);
    const struct json_fault *fault = &faults.list[0];
    char got[512];
    (void)snprintf(got, sizeof got, "%lu:%lu %s: %s", fault->line, fault->column, fault->path, fault->what);
    assert_string_equal(got, expected);
    unsigned long line;
    unsigned long column;
    json_locate((struct slice){text, n}, fault->offset, &line, &column);
    assert_int_equal(line, fault->line);
    assert_int_equal(column, fault->column);
    struct err err = ERR_INIT;
    assert_null(json_parse((struct slice){text, n}, &err));
    assert_int_equal(err.code, ERR_INVALID);
}
#define ASSERT_FAULT(literal, expected) assert_fault(literal, sizeof(literal) - 1, expected)

static void good_texts_pass(void **state)
{
    (void)state;
    static const char *const good[] = {
        "0",
        "-0",
        "1.5e-3",
        "1E+2",
        "\"\"",
        "true",
        "false",
        "null",
        "[]",
        "{}",
        " \t\r\n[ ] \n",
        "[[],{}]",
        "{\"a\":{\"a\":{\"a\":1}},\"b\":[{\"a\":1},{\"a\":2}]}",
        "9007199254740992",
        "-9007199254740992",
        "9007199254740993.0",
        "1e300",
        "1e-400",
        "\"\\u0041\\n\\\"\\\\\\/\\b\\f\\r\\t\\ud83d\\uDE00\"",
        "\"\xC2\x80 \xDF\xBF \xE0\xA0\x80 \xED\x9F\xBF \xEE\x80\x80 \xEF\xBF\xBF \xF0\x90\x80\x80 \xF4\x8F\xBF\xBF\"",
        "\"\x7f\"",
        "{\"\":0}",
        "{\"ab\":1,\"a\":2,\"b\":3,\"Ab\":4}",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (!json_check(slice_of(good[i]), NULL, NULL))
            fail_msg("%s was refused", good[i]);
        struct err err = ERR_INIT;
        cJSON *tree = json_parse(slice_of(good[i]), &err);
        assert_non_null(tree);
        cJSON_Delete(tree);
    }
}

static void faults_of_grammar_say_where(void **state)
{
    (void)state;
    ASSERT_FAULT("", "1:1 $: the text ends too early");
    ASSERT_FAULT(" \n ", "2:2 $: the text ends too early");
    ASSERT_FAULT("\xEF\xBB\xBF{}", "1:1 $: a byte order mark");
    ASSERT_FAULT("{\"a\":[1,2", "1:10 $.a[1]: the text ends too early");
    ASSERT_FAULT("{\"a\":\"x", "1:8 $.a: the text ends too early");
    ASSERT_FAULT("{\"a\":\"x\\", "1:9 $.a: the text ends too early");
    ASSERT_FAULT("[1 2]", "1:4 $[0]: expected ',' or ']'");
    ASSERT_FAULT("[1,]", "1:4 $[1]: expected a value");
    ASSERT_FAULT("[,1]", "1:2 $[0]: expected a value");
    ASSERT_FAULT("{\"a\":1,}", "1:8 $.a: expected a key");
    ASSERT_FAULT("{a:1}", "1:2 $: expected a key");
    ASSERT_FAULT("{\"a\" 1}", "1:6 $.a: expected ':'");
    ASSERT_FAULT("{\"a\":1]", "1:7 $.a: expected ',' or '}'");
    ASSERT_FAULT("{} {}", "1:4 $: something follows the value");
    ASSERT_FAULT("nul", "1:4 $: the text ends too early");
    ASSERT_FAULT("[nulL]", "1:2 $[0]: expected a value");
    ASSERT_FAULT("[NaN]", "1:2 $[0]: expected a value");
    ASSERT_FAULT("[Infinity]", "1:2 $[0]: expected a value");
    ASSERT_FAULT("[-]", "1:3 $[0]: expected a digit");
    ASSERT_FAULT("[01]", "1:2 $[0]: number with a leading zero");
    ASSERT_FAULT("[+1]", "1:2 $[0]: expected a value");
    ASSERT_FAULT("[1.]", "1:4 $[0]: expected a digit");
    ASSERT_FAULT("[.5]", "1:2 $[0]: expected a value");
    ASSERT_FAULT("[1e]", "1:4 $[0]: expected a digit");
    ASSERT_FAULT("[1", "1:3 $[0]: the text ends too early");
    ASSERT_FAULT("[\"a\nb\"]", "1:4 $[0]: control character inside a string");
    ASSERT_FAULT("[\"a\0b\"]", "1:4 $[0]: control character inside a string");
    ASSERT_FAULT("[\"\\x\"]", "1:3 $[0]: unknown escape");
    ASSERT_FAULT("[\"\\u12g4\"]", "1:3 $[0]: \\u without four hex digits");
    ASSERT_FAULT("['a']", "1:2 $[0]: expected a value");
    ASSERT_FAULT("[1] // no", "1:5 $: something follows the value");
    ASSERT_FAULT("[1]\0", "1:4 $: something follows the value");
    ASSERT_FAULT("\v1", "1:1 $: expected a value");
}

static void faults_of_value_say_where(void **state)
{
    (void)state;
    ASSERT_FAULT("{\"trades\":[{},\n {},{},{\"id\":1,\"entry_tid\":9007199254740993}]}",
                 "2:28 $.trades[3].entry_tid: integer beyond 2^53");
    ASSERT_FAULT("-9007199254740993", "1:1 $: integer beyond 2^53");
    ASSERT_FAULT("100000000000000000000", "1:1 $: integer beyond 2^53");
    ASSERT_FAULT("[1e309]", "1:2 $[0]: number beyond the range of a double");
    ASSERT_FAULT("[-2.5E+400]", "1:2 $[0]: number beyond the range of a double");
    ASSERT_FAULT("[0.00000000000000000000000000000000000000000000000000000000000001]",
                 "1:2 $[0]: number of more than 63 characters");
    ASSERT_FAULT("{\"a\":1,\"b\":2,\"a\":3}", "1:14 $.a: key twice in one object");
    ASSERT_FAULT("{\"a\":1,\"\\u0061\":3}", "1:8 $[\"\\u0061\"]: key twice in one object");
    ASSERT_FAULT("{\"\\u00e9\":1,\"\xC3\xA9\":3}", "1:13 $[\"\xC3\xA9\"]: key twice in one object");
    ASSERT_FAULT("{\"\\ud83d\\ude00\":1,\"\\uD83D\\uDE00\":3}", "1:19 $[\"\\uD83D\\uDE00\"]: key twice in one object");
    ASSERT_FAULT("[\"\\ud800\"]", "1:3 $[0]: lone surrogate");
    ASSERT_FAULT("[\"\\ud800\\u0041\"]", "1:3 $[0]: lone surrogate");
    ASSERT_FAULT("[\"\\udc00\"]", "1:3 $[0]: lone surrogate");
    ASSERT_FAULT("[\"a\\u0000\"]", "1:4 $[0]: U+0000 cannot be stored");
    ASSERT_FAULT("{\"x\\u0000\":1}", "1:4 $[\"x\\u0000\"]: U+0000 cannot be stored");
    ASSERT_FAULT("{\"k\xFF\":1}", "1:4 $[\"k?\"]: invalid UTF-8");
    ASSERT_FAULT("{\"a.b\":{\"deepseek-v3\":1e999}}",
                 "1:23 $[\"a.b\"].deepseek-v3: number beyond the range of a double");
    static const char *const bad_utf8[] = {
        "\x80",
        "\xC0\x80",
        "\xC1\xBF",
        "\xC3",
        "\xE0\x80\x80",
        "\xE0\x9F\xBF",
        "\xE2\x82",
        "\xED\xA0\x80",
        "\xED\xBF\xBF",
        "\xF0\x80\x80\x80",
        "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80",
        "\xFF",
        "\xF0\x9F\x98",
        "\xE2\x28\xA1",
    };
    for (size_t i = 0; i < sizeof bad_utf8 / sizeof bad_utf8[0]; i++) {
        char text[64];
        int n = snprintf(text, sizeof text, "[\"%s\"]", bad_utf8[i]);
        assert_fault(text, (size_t)n, "1:3 $[0]: invalid UTF-8");
    }
}

static void faults_of_value_do_not_end_the_check(void **state)
{
    (void)state;
    struct faults faults = faults_of(SLICE("{\"a\":9007199254740993,\n\"b\":[\"\xFF\", 1e999],\n\n"
                                           "\"a\":\"\\ud800\",\"c\":[1,],\"d\":1e999}"));
    static const struct {
        unsigned long line;
        unsigned long column;
        const char *path;
    } expected[] = {{1, 6, "$.a"}, {2, 7, "$.b[0]"}, {2, 11, "$.b[1]"},
                    {4, 1, "$.a"}, {4, 6, "$.a"},    {4, 21, "$.c[1]"}};
    assert_int_equal(faults.count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(faults.list[i].line, expected[i].line);
        assert_int_equal(faults.list[i].column, expected[i].column);
        assert_string_equal(faults.list[i].path, expected[i].path);
    }
}

static bool stop_at_once(void *arg, const struct json_fault *fault)
{
    (void)fault;
    ++*(int *)arg;
    return false;
}

static void a_listener_can_stop(void **state)
{
    (void)state;
    int calls = 0;
    assert_false(json_check(SLICE("[1e999,1e999]"), stop_at_once, &calls));
    assert_int_equal(calls, 1);
}

static void depth_is_bounded(void **state)
{
    (void)state;
    for (size_t depth = JSON_MAX_DEPTH - 1; depth <= JSON_MAX_DEPTH + 1; depth++) {
        struct buf text = BUF_INIT;
        for (size_t i = 0; i < depth; i++)
            buf_append_str(&text, i % 2 ? "{\"k\":" : "[");
        buf_append_char(&text, '1');
        for (size_t i = depth; i-- > 0;)
            buf_append_char(&text, i % 2 ? '}' : ']');
        assert_int_equal(json_check(buf_slice(&text), NULL, NULL), depth <= JSON_MAX_DEPTH);
        buf_free(&text);
    }
    /* A long run of brackets must neither recurse nor take long. */
    struct buf text = BUF_INIT;
    memset(buf_reserve(&text, 1000000), '[', 1000000);
    text.len = 1000000;
    struct err err = ERR_INIT;
    assert_null(json_parse(buf_slice(&text), &err));
    assert_non_null(strstr(err.text, "line 1, column 65"));
    buf_free(&text);
}

static void a_long_path_keeps_its_end(void **state)
{
    (void)state;
    struct buf text = BUF_INIT;
    for (int i = 0; i < 40; i++)
        buf_printf(&text, "{\"member_number_%d\":", i);
    buf_append_str(&text, "1e999");
    struct faults faults = {.count = 0};
    (void)json_check(buf_slice(&text), collect, &faults);
    const char *path = faults.list[0].path;
    assert_int_equal(strlen(path), sizeof faults.list[0].path - 1);
    assert_memory_equal(path, "...", 3);
    assert_non_null(strstr(path, ".member_number_38.member_number_39"));
    buf_free(&text);

    buf_append_str(&text, "{\"");
    for (int i = 0; i < 1000; i++)
        buf_append_str(&text, "\xE2\x86\x92");
    buf_append_str(&text, "\":1e999}");
    faults.count = 0;
    (void)json_check(buf_slice(&text), collect, &faults);
    path = faults.list[0].path;
    assert_memory_equal(path, "...\xE2\x86\x92", 6);
    assert_string_equal(path + strlen(path) - 5, "\xE2\x86\x92\"]");
    buf_free(&text);
}

static void doubled_keys_are_found_in_big_objects(void **state)
{
    (void)state;
    struct buf text = BUF_INIT;
    const int members = 20000;
    buf_append_char(&text, '{');
    for (int i = 0; i < members; i++)
        buf_printf(&text, "%s\"key%d\":{\"key%d\":0,\"x\":[{\"key0\":1}]}", i ? "," : "", i, i);
    size_t open_end = text.len;
    buf_append_char(&text, '}');
    assert_true(json_check(buf_slice(&text), NULL, NULL));
    for (int doubled = 0; doubled < members; doubled += 1111) {
        text.len = open_end;
        buf_printf(&text, ",\"k\\u0065y%d\":1}", doubled);
        struct faults faults = faults_of(buf_slice(&text));
        assert_int_equal(faults.count, 1);
        assert_string_equal(faults.list[0].what, "key twice in one object");
    }
    buf_free(&text);
}

static bool count_fault(void *arg, const struct json_fault *fault)
{
    size_t *count = arg;
    ++*count;
    return fault->line == *count + 1;
}

/* Each of many faults knows its line, in a time that only grows with the text: quadratic, this would be minutes. */
static void many_faults_and_keys_stay_linear(void **state)
{
    (void)state;
    const size_t members = 300000;
    struct buf text = BUF_INIT;
    buf_append_char(&text, '{');
    for (size_t i = 0; i < members; i++)
        buf_printf(&text, "%s\n\"k%zu\":1e999", i ? "," : "", i);
    buf_append_char(&text, '}');
    size_t faults = 0;
    int64_t start = clock_mono_ms();
    assert_false(json_check(buf_slice(&text), count_fault, &faults));
    assert_int_equal(faults, members);
    assert_in_range(clock_mono_ms() - start, 0, 20000);
    buf_free(&text);
}

struct walked {
    struct buf log;
    size_t stop_after;
    size_t calls;
};

static bool note_element(void *arg, size_t index, struct slice element)
{
    struct walked *walked = arg;
    buf_printf(&walked->log, "%zu=%.*s;", index, SLICE_ARG(element));
    return ++walked->calls != walked->stop_after;
}

static bool note_member(void *arg, struct slice key, struct slice value)
{
    struct walked *walked = arg;
    buf_printf(&walked->log, "%.*s=%.*s;", SLICE_ARG(key), SLICE_ARG(value));
    return ++walked->calls != walked->stop_after;
}

static void assert_walk(const char *text, size_t stop_after, bool result, const char *expected)
{
    struct walked walked = {.log = BUF_INIT, .stop_after = stop_after};
    struct json_walk walk = {SLICE("rows"), note_element, note_member, &walked};
    assert_int_equal(json_walk(slice_of(text), &walk), result);
    assert_string_equal(buf_cstr(&walked.log), expected);
    buf_free(&walked.log);
}

static void a_walk_sees_elements_and_members(void **state)
{
    (void)state;
    assert_walk("{}", 0, true, "");
    assert_walk(" { } ", 0, true, "");
    assert_walk("[1]", 0, false, "");
    assert_walk("3", 0, false, "");
    assert_walk("", 0, false, "");
    assert_walk("{\"rows\":[]}", 0, true, "");
    assert_walk(
        " {\"a\" : 1 , \"rows\" : [ {\"x\":\"]}\\\"\"} , [1,[2]] ,\"s\\\\\", 4.5 , null ]\n, \"b\":{\"rows\":[9]} } ",
        0, true, "a=1;0={\"x\":\"]}\\\"\"};1=[1,[2]];2=\"s\\\\\";3=4.5;4=null;b={\"rows\":[9]};");
    assert_walk("{\"rows\":{\"not\":\"an array\"}}", 0, true, "rows={\"not\":\"an array\"};");
    assert_walk("{\"ro\\u0077s\":[7]}", 0, true, "0=7;");
    assert_walk("{\"rows\":[1,2,3],\"a\":0}", 2, false, "0=1;1=2;");
    assert_walk("{\"a\":0,\"rows\":[1,2,3]}", 1, false, "a=0;");
}

static void assert_array_walk(const char *text, size_t stop_after, bool result, const char *expected)
{
    struct walked walked = {.log = BUF_INIT, .stop_after = stop_after};
    assert_int_equal(json_walk_array(slice_of(text), note_element, &walked), result);
    assert_string_equal(buf_cstr(&walked.log), expected);
    buf_free(&walked.log);
}

static void an_array_is_walked_alone(void **state)
{
    (void)state;
    assert_array_walk("[]", 0, true, "");
    assert_array_walk(" [1, [2] ,{}]", 0, true, "0=1;1=[2];2={};");
    assert_array_walk("[1,2,3]", 2, false, "0=1;1=2;");
    assert_array_walk("{}", 0, false, "");
    assert_array_walk("", 0, false, "");
    assert_array_walk("[1,", 0, false, "0=1;");
}

static void a_walk_never_leaves_a_bad_text(void **state)
{
    (void)state;
    static const char whole[] = "{\"a\\\"\":[{\"x\":\"y\\\\\"}],\"rows\":[1,{\"b\":\"}\"},\"\\\"\"],\"z\":tru}";
    for (size_t n = 0; n < sizeof whole - 1; n++) {
        char *copy = mem_strndup(whole, n);
        char *exact = mem_alloc(n ? n : 1); /* no NUL behind it, so that ASan sees a step too far */
        memcpy(exact, copy, n);
        struct walked walked = {.log = BUF_INIT};
        struct json_walk walk = {SLICE("rows"), note_element, note_member, &walked};
        assert_false(json_walk((struct slice){exact, n}, &walk));
        assert_false(json_check((struct slice){exact, n}, NULL, NULL));
        buf_free(&walked.log);
        free(copy);
        free(exact);
    }
}

static void unescape_gives_the_text(void **state)
{
    (void)state;
    struct buf out = BUF_INIT;
    json_unescape(&out, SLICE("a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u2192\\ud83d\\ude00z"));
    assert_string_equal(buf_cstr(&out), "a\"\\/\b\f\n\r\t\xC3\xA9\xE2\x86\x92\xF0\x9F\x98\x80z");
    buf_free(&out);
}

/* Reading and writing gives a text that reads and writes to itself. */
static void real_files_pass_and_come_back(void **state)
{
    (void)state;
    const char *root = getenv("NOF0_TEST_DATA");
    char folder[512];
    (void)snprintf(folder, sizeof folder, "%s/2025-10-26", root ? root : "../shared/data");
    DIR *dir = opendir(folder);
    if (!dir) {
        skip();
        return;
    }
    size_t files = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (!strstr(entry->d_name, ".json"))
            continue;
        char path[1024];
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        struct buf text = BUF_INIT;
        struct err err = ERR_INIT;
        cJSON *tree = file_read(path, SIZE_MAX - 1, &text, &err) ? json_parse(buf_slice(&text), &err) : NULL;
        if (!tree)
            fail_msg("%s: %s", entry->d_name, err.text);
        struct buf once = BUF_INIT;
        json_put_cjson(&once, tree);
        cJSON *again = json_parse(buf_slice(&once), &err);
        assert_non_null(again);
        assert_true(cJSON_Compare(tree, again, true));
        struct buf twice = BUF_INIT;
        json_put_cjson(&twice, again);
        assert_true(slice_equal(buf_slice(&once), buf_slice(&twice)));
        cJSON_Delete(tree);
        cJSON_Delete(again);
        buf_free(&text);
        buf_free(&once);
        buf_free(&twice);
        files++;
    }
    (void)closedir(dir);
    assert_true(files >= 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_texts_pass),
        cmocka_unit_test(faults_of_grammar_say_where),
        cmocka_unit_test(faults_of_value_say_where),
        cmocka_unit_test(faults_of_value_do_not_end_the_check),
        cmocka_unit_test(a_listener_can_stop),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(a_long_path_keeps_its_end),
        cmocka_unit_test(doubled_keys_are_found_in_big_objects),
        cmocka_unit_test(many_faults_and_keys_stay_linear),
        cmocka_unit_test(a_walk_sees_elements_and_members),
        cmocka_unit_test(an_array_is_walked_alone),
        cmocka_unit_test(a_walk_never_leaves_a_bad_text),
        cmocka_unit_test(unescape_gives_the_text),
        cmocka_unit_test(real_files_pass_and_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
