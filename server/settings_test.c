#include "base/testing.h"
#include "server/settings.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const CONFIG_PATH = "etc/nof0.yaml";

static const char *empty_environment(void *arg, const char *name)
{
    (void)arg;
    (void)name;
    return NULL;
}

static void read_config(struct buf *content)
{
    FILE *file = fopen(CONFIG_PATH, "re");
    assert_non_null(file);
    int c;
    while ((c = getc(file)) != EOF)
        buf_append_char(content, (char)c);
    assert_int_equal(fclose(file), 0);
}

static struct settings *parse(const char *yaml)
{
    struct buf faults = BUF_INIT;
    struct settings *settings = settings_parse(slice_of(yaml), "f", empty_environment, NULL, &faults);
    assert_string_equal(buf_cstr(&faults), "");
    assert_non_null(settings);
    buf_free(&faults);
    return settings;
}

static void assert_same(const struct settings *a, const struct settings *b)
{
    struct buf keys = BUF_INIT;
    size_t count = settings_changes(a, b, false, &keys);
    assert_string_equal(buf_cstr(&keys), "");
    assert_int_equal(count, 0);
    buf_free(&keys);
}

/* A key of the file as it stands there, with the comment above it and that above its section. */
struct documented {
    char key[128];
    struct buf comment;
};

/* Reads etc/nof0.yaml line by line, without a YAML library, since that one drops comments. */
static size_t read_documented(struct documented *found, size_t most)
{
    struct buf content = BUF_INIT;
    struct buf section_comment = BUF_INIT;
    struct buf comment = BUF_INIT;
    char section[64] = "";
    size_t count = 0;
    read_config(&content);
    for (char *save = NULL, *line = strtok_r(buf_cstr(&content), "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        size_t indent = strspn(line, " ");
        char *word = line + indent;
        size_t length = strcspn(word, ":");
        if (*word == '#') {
            buf_append_str(&comment, word + 1);
        } else if (indent == 0) {
            (void)snprintf(section, sizeof section, "%.*s", (int)length, word);
            buf_clear(&section_comment);
            buf_append_slice(&section_comment, buf_slice(&comment));
            buf_clear(&comment);
        } else {
            assert_true(count < most);
            (void)snprintf(found[count].key, sizeof found->key, "%s.%.*s", section, (int)length, word);
            found[count].comment = (struct buf)BUF_INIT;
            assert_true(comment.len > 0);
            buf_append_slice(&found[count].comment, buf_slice(&section_comment));
            buf_append_slice(&found[count].comment, buf_slice(&comment));
            buf_clear(&comment);
            count++;
        }
    }
    buf_free(&content);
    buf_free(&section_comment);
    buf_free(&comment);
    return count;
}

static bool says_number(const char *text, int64_t number)
{
    char digits[32];
    int n = snprintf(digits, sizeof digits, "%" PRId64, number);
    for (const char *at = text; (at = strstr(at, digits)); at++)
        if ((at == text || !isdigit((unsigned char)at[-1])) && !isdigit((unsigned char)at[n]))
            return true;
    return false;
}

static void test_every_key_is_documented_and_exists(void **state)
{
    (void)state;
    enum { MOST = 200 };
    static struct documented found[MOST];
    const struct config_table *table = settings_table();
    size_t count = read_documented(found, MOST);
    assert_int_equal(count, table->row_count);
    for (size_t i = 0; i < table->row_count; i++) {
        const struct config_row *row = &table->rows[i];
        assert_string_equal(found[i].key, row->key); /* the same order, too */
        const char *comment = buf_cstr(&found[i].comment);
        assert_int_equal(strstr(comment, "Restart.") != NULL, row->restart);
        if (row->type == CONFIG_INT || row->type == CONFIG_MS) {
            if (!says_number(comment, row->least) || !says_number(comment, row->most))
                fail_msg("%s: its comment does not name the range %" PRId64 " to %" PRId64, row->key, row->least,
                         row->most);
        }
        for (size_t n = 0; row->names && row->names[n] && strncmp(row->key, "endpoints.", 10) != 0; n++)
            assert_non_null(strstr(comment, row->names[n]));
        buf_free(&found[i].comment);
    }
}

static void test_the_files_defaults_are_the_tables(void **state)
{
    (void)state;
    struct buf content = BUF_INIT;
    read_config(&content);
    struct settings *from_file = parse(buf_cstr(&content));
    struct settings *from_table = settings_default();
    assert_same(from_file, from_table);
    settings_free(from_file);
    settings_free(from_table);
    buf_free(&content);
}

static const char *test_environment(void *arg, const char *name)
{
    (void)arg;
    static const char *const pairs[][2] = {
        {"NOF0_HOST", "::1"},
        {"NOF0_PORT", "0"},
        {"NOF0_WORKERS", "3"},
        {"NOF0_LOG_LEVEL", "debug"},
        {"NOF0_LOG_FORMAT", "json"},
        {"NOF0_POSTGRES_DSN", "host=/run/x dbname=d"},
        {"NOF0_REDIS_URL", "unix:///run/r"},
        {"NOF0_LEGACY_DIR", "/data/\xc3\xa9"},
        {"NOF0_READ", "legacy"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (strcmp(name, pairs[i][0]) == 0)
            return pairs[i][1];
    return NULL;
}

static void test_the_files_environment(void **state)
{
    (void)state;
    struct buf content = BUF_INIT;
    struct buf faults = BUF_INIT;
    read_config(&content);
    struct settings *settings = settings_parse(buf_slice(&content), CONFIG_PATH, test_environment, NULL, &faults);
    assert_non_null(settings);
    assert_string_equal(settings->server_host, "::1");
    assert_int_equal(settings->server_port, 0);
    assert_int_equal(settings->server_workers, 3);
    assert_int_equal(settings->log_level, LOG_DEBUG);
    assert_int_equal(settings->log_format, LOG_JSON);
    assert_string_equal(settings->postgres_dsn, "host=/run/x dbname=d");
    assert_string_equal(settings->redis_url, "unix:///run/r");
    assert_string_equal(settings->legacy_dir, "/data/\xc3\xa9");
    assert_int_equal(settings->endpoints_trades, SETTINGS_LEGACY);
    assert_int_equal(settings->endpoints_conversations, SETTINGS_LEGACY);
    settings_free(settings);
    buf_free(&content);
    buf_free(&faults);
}

static void test_print_reads_back(void **state)
{
    (void)state;
    struct settings *settings = parse("log: {level: error}\nserver: {port: 1, host: '::'}\ncors: {allow_origin: ''}\n"
                                      "compression: {enabled: false}\nttl: {short_s: -1}\n"
                                      "postgres: {dsn: \"host='/a b' dbname=d\"}\nredis: {url: 'redis://h:1/2'}\n"
                                      "legacy: {dir: \"/x $${y}\"}\nendpoints: {trades: legacy}\n");
    struct buf printed = BUF_INIT;
    settings_print(settings, &printed);
    struct settings *again = parse(buf_cstr(&printed));
    assert_same(settings, again);
    settings_free(settings);
    settings_free(again);
    buf_free(&printed);
}

static void test_print_hides_passwords(void **state)
{
    (void)state;
    struct settings *settings =
        parse("postgres: {dsn: 'host=h password=hunter2'}\nredis: {url: 'redis://:hunter2@h'}\n");
    struct buf printed = BUF_INIT;
    settings_print(settings, &printed);
    assert_null(strstr(buf_cstr(&printed), "hunter2"));
    assert_non_null(strstr(printed.data, "dsn: \"host=h password=***\""));
    assert_non_null(strstr(printed.data, "url: \"redis://:***@h\""));
    settings_free(settings);
    buf_free(&printed);
}

static void test_ttl_zero_is_the_default(void **state)
{
    (void)state;
    struct settings *settings = parse("ttl: {short_s: 0, medium_s: -1, long_s: 7}");
    assert_int_equal(settings->ttl_short_s, 10);
    assert_int_equal(settings->ttl_medium_s, -1);
    assert_int_equal(settings->ttl_long_s, 7);
    settings_free(settings);
}

static void expect_cross_faults(const char *yaml, bool good, const char *lines)
{
    struct settings *settings = parse(yaml);
    struct buf faults = BUF_INIT;
    assert_int_equal(settings_check(settings, &faults), good);
    assert_string_equal(buf_cstr(&faults), lines);
    buf_free(&faults);
    settings_free(settings);
}

static void test_check_goes_across_keys(void **state)
{
    (void)state;
    expect_cross_faults("postgres: {dsn: x=y}", true, "");
    expect_cross_faults("postgres: {dsn: x=y}\nendpoints: {trades: legacy, analytics: legacy}", false,
                        "endpoints.trades: is legacy, but legacy.dir is empty\n"
                        "endpoints.analytics: is legacy, but legacy.dir is empty\n");
    expect_cross_faults("legacy: {dir: /x}\nendpoints: {account_totals: legacy, positions: legacy, trades: legacy,\n"
                        "  crypto_prices: legacy, since_inception: legacy, leaderboard: legacy, analytics: legacy}",
                        false, "endpoints.conversations: is repo, but postgres.dsn is empty\n");
    expect_cross_faults("postgres: {dsn: x=y}\nredis: {prefix: 'a b'}", false,
                        "redis.prefix: a prefix takes letters, digits, ':' and ._~@+=-{} alone\n");
}

static void test_changes(void **state)
{
    (void)state;
    struct settings *old = parse("");
    struct settings *new = parse("server: {host: h, port: 1, idle_timeout_ms: 99}\nredis: {url: 'redis://x'}");
    struct buf keys = BUF_INIT;
    assert_int_equal(settings_changes(old, new, false, &keys), 4);
    assert_string_equal(buf_cstr(&keys), "server.host\nserver.port\nserver.idle_timeout_ms\nredis.url\n");
    buf_clear(&keys);
    assert_int_equal(settings_changes(old, new, true, &keys), 2);
    assert_string_equal(buf_cstr(&keys), "server.host\nserver.port\n");
    buf_free(&keys);
    settings_free(old);
    settings_free(new);
}

static void test_load_names_file_and_line(void **state)
{
    (void)state;
    char path[] = "/tmp/nof0-settings-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    static const char text[] = "server:\n  port: 65536\n  prot: 1\n";
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    assert_int_equal(close(fd), 0);
    struct buf faults = BUF_INIT;
    assert_null(settings_load(path, &faults));
    char expected[200];
    (void)snprintf(expected, sizeof expected,
                   "%s:2: server.port: is 65536, more than 65535\n%s:3: server.prot: is no setting\n", path, path);
    assert_string_equal(buf_cstr(&faults), expected);
    assert_int_equal(unlink(path), 0);
    buf_clear(&faults);
    assert_null(settings_load(path, &faults));
    assert_true(faults.len > 0);
    buf_free(&faults);
}

static void test_what_flags_are_by_default(void **state)
{
    (void)state;
    struct settings *settings = parse("endpoints: {trades: legacy, analytics: legacy}\n"
                                      "dual_write: {trades: true}\n");
    struct flag_value values[FLAG_COUNT];
    settings_flags(settings, values);
    for (enum flag flag = 0; flag < FLAG_COUNT; flag++) {
        bool is_switch = strncmp(flag_name(flag), "switch.", 7) == 0;
        if (flag_kind(flag) == FLAG_KIND_READ)
            assert_int_equal(values[flag].mode,
                             flag == FLAG_READ_TRADES || flag == FLAG_READ_ANALYTICS ? FLAG_LEGACY : FLAG_REPO);
        else
            assert_int_equal(values[flag].on, is_switch || flag == FLAG_DUAL_WRITE_TRADES);
        assert_int_equal(values[flag].share, 0);
    }
    settings_free(settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_key_is_documented_and_exists),
        cmocka_unit_test(test_the_files_defaults_are_the_tables),
        cmocka_unit_test(test_the_files_environment),
        cmocka_unit_test(test_print_reads_back),
        cmocka_unit_test(test_print_hides_passwords),
        cmocka_unit_test(test_ttl_zero_is_the_default),
        cmocka_unit_test(test_check_goes_across_keys),
        cmocka_unit_test(test_what_flags_are_by_default),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_load_names_file_and_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
