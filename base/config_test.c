#include "base/config.h"
#include "base/num.h"
#include "base/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum colour { RED, GREEN };
static const char *const colours[] = {"red", "green", NULL};

struct sample {
    char *name;
    char *secret;
    int64_t port;
    int64_t wait_ms;
    bool on;
    enum colour colour;
    int64_t deep;
    double share;
};

static const struct config_row sample_rows[] = {
    {.key = "a.name", .type = CONFIG_TEXT, .offset = offsetof(struct sample, name), .default_text = "nobody"},
    {.key = "a.secret", .type = CONFIG_SECRET, .offset = offsetof(struct sample, secret), .default_text = ""},
    {.key = "a.port", .type = CONFIG_INT, .offset = offsetof(struct sample, port), .default_text = "80", .most = 65535},
    {.key = "b.wait_ms",
     .type = CONFIG_MS,
     .offset = offsetof(struct sample, wait_ms),
     .default_text = "5",
     .least = -1,
     .most = 1000},
    {.key = "b.on", .type = CONFIG_BOOL, .offset = offsetof(struct sample, on), .default_text = "true"},
    {.key = "b.colour",
     .type = CONFIG_ENUM,
     .offset = offsetof(struct sample, colour),
     .default_text = "green",
     .names = colours},
    {.key = "b.c.deep", .type = CONFIG_INT, .offset = offsetof(struct sample, deep), .default_text = "1", .most = 9},
    {.key = "b.c.share", .type = CONFIG_SHARE, .offset = offsetof(struct sample, share), .default_text = "0.25"},
};
static const struct config_table sample_table = {sample_rows, sizeof sample_rows / sizeof sample_rows[0],
                                                 sizeof(struct sample)};

/* An environment of pairs, ended by NULL. */
static const char *lookup_pairs(void *arg, const char *name)
{
    for (const char *const *pair = arg; pair && pair[0]; pair += 2)
        if (strcmp(pair[0], name) == 0)
            return pair[1];
    return NULL;
}

static bool parse(const char *yaml, const char *const *environment, struct sample *into, struct buf *faults)
{
    union {
        const char *const *pairs;
        void *arg;
    } handed = {.pairs = environment};
    return config_parse(&sample_table, slice_of(yaml), "f", lookup_pairs, handed.arg, into, faults);
}

/* Expects exactly these fault lines. */
static void expect_faults(const char *yaml, const char *const *environment, const char *lines)
{
    struct sample sample;
    struct buf faults = BUF_INIT;
    assert_false(parse(yaml, environment, &sample, &faults));
    assert_string_equal(buf_cstr(&faults), lines);
    assert_null(sample.name);
    buf_free(&faults);
}

static struct sample expect_good(const char *yaml, const char *const *environment)
{
    struct sample sample;
    struct buf faults = BUF_INIT;
    bool good = parse(yaml, environment, &sample, &faults);
    assert_string_equal(buf_cstr(&faults), "");
    assert_true(good);
    buf_free(&faults);
    return sample;
}

static void test_empty_files_give_defaults(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "\n", "# only a comment\n", "---\n", "a:\nb:\n", "a: ~\n", "{}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct sample sample = expect_good(texts[i], NULL);
        assert_string_equal(sample.name, "nobody");
        assert_string_equal(sample.secret, "");
        assert_int_equal(sample.port, 80);
        assert_int_equal(sample.wait_ms, 5);
        assert_true(sample.on);
        assert_int_equal(sample.colour, GREEN);
        assert_int_equal(sample.deep, 1);
        assert_true(num_same_double(sample.share, 0.25));
        config_release(&sample_table, &sample);
    }
}

static void test_values_of_every_type(void **state)
{
    (void)state;
    struct sample sample = expect_good("a:\n  name: 'it''s'\n  secret: s\n  port: 65535\n"
                                       "b: {wait_ms: -1, on: false, colour: \"red\", c: {deep: 9, share: 1e-2}}\n",
                                       NULL);
    assert_string_equal(sample.name, "it's");
    assert_string_equal(sample.secret, "s");
    assert_int_equal(sample.port, 65535);
    assert_int_equal(sample.wait_ms, -1);
    assert_false(sample.on);
    assert_int_equal(sample.colour, RED);
    assert_int_equal(sample.deep, 9);
    assert_true(num_same_double(sample.share, 0.01));
    config_release(&sample_table, &sample);
}

static void test_every_fault_is_told_with_its_line(void **state)
{
    (void)state;
    expect_faults("a:\n"
                  "  port: 70000\n"
                  "  prot: 1\n"
                  "  name: [x, {y: z}]\n"
                  "b:\n"
                  "  wait_ms: 5s\n"
                  "  on: yes\n"
                  "  colour: blue\n"
                  "  c: 7\n"
                  "c: {d: {e: 1}}\n",
                  NULL,
                  "f:2: a.port: is 70000, more than 65535\n"
                  "f:3: a.prot: is no setting\n"
                  "f:4: a.name: is a list, not a value\n"
                  "f:6: b.wait_ms: is \"5s\", not a whole number of milliseconds\n"
                  "f:7: b.on: is \"yes\", not true or false\n"
                  "f:8: b.colour: is \"blue\", not one of red, green\n"
                  "f:9: b.c: is a value, not a map of settings\n"
                  "f:10: c: is no setting\n");
}

static void test_doubled_keys(void **state)
{
    (void)state;
    expect_faults("a:\n  port: 1\n  port: 2\na:\n  name: x\n", NULL,
                  "f:3: a.port: stands here a second time, first on line 2\n"
                  "f:4: a: stands here a second time, first on line 1\n");
}

static void test_wrong_types(void **state)
{
    (void)state;
    expect_faults("a: {port: '80'}", NULL, "f:1: a.port: is a text in quotes, not a number\n");
    expect_faults("b: {on: 'true'}", NULL, "f:1: b.on: is a text in quotes, not true or false\n");
    expect_faults("a: {port: 1.5}", NULL, "f:1: a.port: is \"1.5\", not an integer\n");
    expect_faults("a: {port: 0x10}", NULL, "f:1: a.port: is \"0x10\", not an integer\n");
    expect_faults("a: {port: 99999999999999999999}", NULL,
                  "f:1: a.port: is \"99999999999999999999\", not an integer\n");
    expect_faults("a: {port: -1}", NULL, "f:1: a.port: is -1, less than 0\n");
    expect_faults("b: {c: {share: '1'}}", NULL, "f:1: b.c.share: is a text in quotes, not a number\n");
    expect_faults("b: {c: {share: 1.01}}", NULL, "f:1: b.c.share: is \"1.01\", not a number from 0 to 1\n");
    expect_faults("b: {c: {share: -0.01}}", NULL, "f:1: b.c.share: is \"-0.01\", not a number from 0 to 1\n");
    expect_faults("b: {c: {share: 5%}}", NULL, "f:1: b.c.share: is \"5%\", not a number from 0 to 1\n");
    expect_faults("b: {c: {share: .nan}}", NULL, "f:1: b.c.share: is \".nan\", not a number from 0 to 1\n");
    expect_faults("a:\n  name:\n", NULL, "f:2: a.name: has no value (an empty text is \"\")\n");
    expect_faults("a: {name: {x: 1}}", NULL, "f:1: a.name: is a map, not a value\n");
    expect_faults("a: {name: \"x\\0y\"}", NULL, "f:1: a.name: holds a NUL character\n");
    expect_faults("a: [1]", NULL, "f:1: a: is a list, not a map of settings\n");
    expect_faults("a: {port: !!int 80}", NULL, "f:1: a.port: has a tag (\"!...\"), which is not read\n");
}

static void test_odd_shapes(void **state)
{
    (void)state;
    expect_faults("- a\n- b\n", NULL, "f:1: a map of settings must stand here\n");
    expect_faults("text", NULL, "f:1: a map of settings must stand here\n");
    expect_faults("a.port: 1\n", NULL, "f:1: a.port: is no setting (a key is one word; nesting replaces dots)\n");
    expect_faults("? [1, 2]\n: 3\n", NULL, "f:1: has a key that is no plain word\n");
    expect_faults("a: &x {port: 1}\nb: *x\n", NULL, "f:2: b: is an alias, not a map of settings\n");
    expect_faults("a: {port: 1}\n---\nb: {on: true}\n", NULL, "f:2: a second YAML document, where only one is read\n");
    expect_faults("\"x\\ny\": 1\n", NULL, "f:1: x?y: is no setting\n");
}

static void test_broken_yaml_names_the_line(void **state)
{
    (void)state;
    static const char *const broken[] = {"a:\n  port: 1\n name: x\n", "a: {port: 1\n", "a: \"x\n", "a:\n\tport: 1\n",
                                         "a: \xff\n"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct sample sample;
        struct buf faults = BUF_INIT;
        assert_false(parse(broken[i], NULL, &sample, &faults));
        assert_memory_equal(buf_cstr(&faults), "f:", 2);
        assert_non_null(strstr(faults.data, "YAML: "));
        buf_free(&faults);
    }
}

static void test_environment(void **state)
{
    (void)state;
    static const char *const environment[] = {"PORT", "8081", "EMPTY", "", "NAME", "a \"b\" # c: d", NULL};
    struct sample sample = expect_good("a:\n  name: <${NAME}|${NONE:-x y}|${EMPTY:-z}|${EMPTY}|$${NAME}|$>\n"
                                       "  port: ${PORT:-1}\n  secret: ${NONE:-}\n"
                                       "b:\n  wait_ms: \"${NONE:-7}\"\n  on: ${NONE:-false}\n  colour: ${NONE:-red}\n",
                                       environment);
    assert_string_equal(sample.name, "<a \"b\" # c: d|x y|z||${NAME}|$>");
    assert_int_equal(sample.port, 8081);
    assert_string_equal(sample.secret, "");
    assert_int_equal(sample.wait_ms, 7);
    assert_false(sample.on);
    assert_int_equal(sample.colour, RED);
    config_release(&sample_table, &sample);

    expect_faults("a:\n  name: ${NONE}\n", environment,
                  "f:2: a.name: needs the environment variable NONE, which is not set\n");
    expect_faults("a: {port: \"${NAME}\"}", environment, "f:1: a.port: is \"a \"b\" # c: d\", not an integer\n");
    expect_faults("a: {name: \"${PORT\"}", environment, "f:1: a.name: has \"${\" without \"}\"\n");
    static const char *const odd[] = {"${}", "${1A}", "${A B}", "${A:x}", "${:-x}", "${A-x}"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        char yaml[64];
        (void)snprintf(yaml, sizeof yaml, "a: {name: \"%s\"}", odd[i]);
        expect_faults(yaml, environment,
                      "f:1: a.name: has something other than ${NAME} or ${NAME:-default} behind \"${\"\n");
    }
    expect_faults("a: {name: \"${A:-${B}}\"}", environment, "f:1: a.name: has a \"${\" inside another's default\n");
}

static void test_faults_never_quote_a_secret(void **state)
{
    (void)state;
    static const char *const environment[] = {"PW", "hunter2\xff", NULL};
    expect_faults("a: {secret: \"x${PW}\"}", environment, "f:1: a.secret: is not UTF-8\n");
}

static void test_print_reads_back(void **state)
{
    (void)state;
    static const char *const names[] = {"",
                                        "plain",
                                        "\"q\\u\"",
                                        "line\nfeed\ttab\x01",
                                        "\xc3\xa9\xe2\x80\xa8\xc2\x85",
                                        "${NAME}",
                                        "$${x} $ $$",
                                        "~",
                                        "null",
                                        " # x: y ",
                                        "\xef\xbb\xbf",
                                        "\xf0\x9f\x98\x80",
                                        "\x7f",
                                        "\xef\xbf\xbf"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct sample sample =
            expect_good("a: {port: 7}\nb: {on: false, c: {deep: 3, share: 0.30000000000000004}}", NULL);
        free(sample.name);
        sample.name = strdup(names[i]);
        struct buf printed = BUF_INIT;
        config_print(&sample_table, &sample, &printed);
        struct sample again = expect_good(buf_cstr(&printed), NULL);
        for (size_t row = 0; row < sample_table.row_count; row++)
            assert_true(config_row_equal(&sample_rows[row], &sample, &again));
        config_release(&sample_table, &sample);
        config_release(&sample_table, &again);
        buf_free(&printed);
    }
}

static void test_print_form(void **state)
{
    (void)state;
    struct sample sample = expect_good("a: {secret: 'redis://u:p@h'}", NULL);
    struct buf printed = BUF_INIT;
    config_print(&sample_table, &sample, &printed);
    assert_string_equal(buf_cstr(&printed),
                        "a:\n  name: \"nobody\"\n  secret: \"redis://u:***@h\"\n  port: 80\n"
                        "b:\n  wait_ms: 5\n  on: true\n  colour: green\n  c:\n    deep: 1\n    share: 0.25\n");
    config_release(&sample_table, &sample);
    buf_free(&printed);
}

static void test_load(void **state)
{
    (void)state;
    char path[] = "/tmp/nof0-config-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    struct sample sample;
    struct buf faults = BUF_INIT;
    assert_int_equal(write(fd, "a:\n  port: 9\n", 13), 13);
    assert_true(config_load(&sample_table, path, &sample, &faults));
    assert_int_equal(sample.port, 9);
    config_release(&sample_table, &sample);

    assert_int_equal(ftruncate(fd, (1 << 20) + 1), 0);
    assert_false(config_load(&sample_table, path, &sample, &faults));
    assert_non_null(strstr(buf_cstr(&faults), "is longer than"));
    (void)close(fd);
    assert_int_equal(unlink(path), 0);

    buf_clear(&faults);
    assert_false(config_load(&sample_table, path, &sample, &faults));
    assert_non_null(strstr(buf_cstr(&faults), "No such file"));
    buf_clear(&faults);
    assert_false(config_load(&sample_table, "/tmp", &sample, &faults));
    assert_non_null(strstr(buf_cstr(&faults), "/tmp: "));
    buf_free(&faults);
}

static void test_masks(void **state)
{
    (void)state;
    static const struct {
        const char *secret;
        const char *masked;
    } cases[] = {
        {"", ""},
        /* URLs */
        {"redis://localhost:6379/0", "redis://localhost:6379/0"},
        {"redis://user:pass@h:6379/0", "redis://user:***@h:6379/0"},
        {"redis://:pass@h", "redis://:***@h"},
        {"rediss://user@h", "rediss://user@h"},
        {"unix:///run/redis.sock?db=1&password=x", "unix:///run/redis.sock?db=1&password=***"},
        {"postgresql://u:p%40ss@h1:5432,h2/db?sslmode=require", "postgresql://u:***@h1:5432,h2/db?sslmode=require"},
        {"postgres:///db?host=/run&user=u&PassWord=x&sslpassword=y",
         "postgres:///db?host=/run&user=u&PassWord=***&sslpassword=***"},
        {"postgres:///db?p%61ssword=x", "postgres:///db?p%61ssword=***"},
        {"postgres:///db?passfile=/x&password=", "postgres:///db?passfile=/x&password=***"},
        /* a raw '@', '/' or '?' in the password */
        {"redis://u:a@b@h", "redis://u:***@h"},
        {"redis://u:a/b@h", "redis://u:***@h"},
        {"redis://u:a?b=c@h", "redis://u:***@h"},
        /* keyword/value */
        {"host=/run/pg dbname=nof0", "host=/run/pg dbname=nof0"},
        {"host=h password=x dbname=d", "host=h password=*** dbname=d"},
        {"password = 'it\\'s a secret' host = h", "password = *** host = h"},
        {"password=a\\ b host=h", "password=*** host=h"},
        {"PASSWORD=x", "PASSWORD=***"},
        {"sslpassword='x y' user='my user'", "sslpassword=*** user='my user'"},
        {"  password=x\thost=h  ", "  password=***\thost=h  "},
        {"password=", "password=***"},
        {"host='never closed password=x", "host=***"},
        {"host=h hunter2", "host=h ***"},
        {"dbname='postgres://u:p@h/d' port=1", "dbname=*** port=1"},
        {"passfile=/home/u/.pgpass", "passfile=/home/u/.pgpass"},
        /* neither */
        {"hunter2", "***"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = BUF_INIT;
        config_mask(slice_of(cases[i].secret), &out);
        assert_string_equal(buf_cstr(&out), cases[i].masked);
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_files_give_defaults),
        cmocka_unit_test(test_values_of_every_type),
        cmocka_unit_test(test_every_fault_is_told_with_its_line),
        cmocka_unit_test(test_doubled_keys),
        cmocka_unit_test(test_wrong_types),
        cmocka_unit_test(test_odd_shapes),
        cmocka_unit_test(test_broken_yaml_names_the_line),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_faults_never_quote_a_secret),
        cmocka_unit_test(test_print_reads_back),
        cmocka_unit_test(test_print_form),
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_masks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
