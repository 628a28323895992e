/* What is written of a result: exactly, and that nothing of the sources' texts gets through as more than text. */
#include "base/json_read.h"
#include "base/testing.h"
#include "cli/parity_render.h"
#include "cli/parity_text.h"

#define SHY "\x1b[2J\xc2\x9b\xe2\x80\xae"

/* A result put together by hand, of two endpoints or more. */
struct made {
    struct parity_result result;
    struct parity_pair pairs[READ_KIND_COUNT];
};

static struct parity_endpoint *add(struct made *made, enum read_kind kind, enum parity_verdict verdict)
{
    size_t at = made->result.count++;
    struct parity_endpoint *endpoint = &made->result.endpoints[at];
    made->pairs[at].verdict = verdict;
    *endpoint = (struct parity_endpoint){
        .endpoint = &endpoints[kind], .verdict = verdict, .pairs = &made->pairs[at], .pair_count = 1};
    endpoint->comparisons = verdict != PARITY_NOT_COMPARED && verdict != PARITY_NOTHING;
    endpoint->failures = verdict == PARITY_NOT_COMPARED;
    endpoint->mismatches = verdict == PARITY_DIFFERENT;
    endpoint->left = endpoint->right = (struct parity_side){.bytes = 1200, .rows = 30, .of_rows = 30};
    if (verdict == PARITY_DIFFERENT)
        made->pairs[at].findings = parity_findings_new(100, 200);
    return endpoint;
}

static void differ(struct parity_endpoint *endpoint, enum parity_class class, const char *path, const char *left,
                   const char *right)
{
    struct parity_difference difference = {
        .class = class, .path = slice_of(path), .left = slice_of(left), .right = slice_of(right)};
    (void)parity_findings_add(endpoint->pairs->findings, &difference);
    endpoint->counts = *parity_findings_counts(endpoint->pairs->findings);
}

static void drop(struct made *made)
{
    for (size_t i = 0; i < made->result.count; i++)
        parity_findings_free(made->pairs[i].findings);
}

static char model[] = "m|`<" SHY;

/* Everything that a result can hold, with ugly texts. */
static void make_ugly(struct made *made)
{
    *made = (struct made){.result = {.left = "legacy", .right = "/tmp/<&\"|`" SHY, .looks = 3}};
    made->result.started_us = 1761452354435000;
    made->result.ended_us = 1761452355685000;
    (void)add(made, READ_ACCOUNT_TOTALS, PARITY_EQUAL);
    (void)add(made, READ_POSITIONS, PARITY_NOTHING);
    add(made, READ_CRYPTO_PRICES, PARITY_UNSETTLED)->unsettled = 4;
    add(made, READ_LEADERBOARD, PARITY_NOT_COMPARED)->reason = "repo: " SHY "<&\"|`";
    struct parity_endpoint *trades = add(made, READ_TRADES, PARITY_DIFFERENT);
    trades->right.rows = trades->right.of_rows = 29;
    differ(trades, PARITY_MISSING, "$.trades[id=a<b&c|d`" SHY "]", "{\"id\":\"``\"}", NULL);
    differ(trades, PARITY_VALUE, "$.trades[id=x].price", "110937", "110938");
    differ(trades, PARITY_NULL_ABSENT, "$.x", "null", NULL);
    struct parity_endpoint *one = add(made, READ_ANALYTICS_ONE, PARITY_DIFFERENT);
    one->pairs->model = model;
    differ(one, PARITY_TYPE, "$.analytics.n", "\"]]>\xf0\x9f\x9a\x80\"", "1");
}

static void has(const struct buf *page, const char *text)
{
    struct buf copy = BUF_INIT;
    buf_append_slice(&copy, buf_slice(page));
    if (!strstr(buf_cstr(&copy), text))
        fail_msg("no\n%s\nin\n%s", text, copy.data);
    buf_free(&copy);
}

/* Nothing but line ends is there that a terminal could obey. */
static void is_harmless(const struct buf *page)
{
    for (size_t i = 0; i < page->len;) {
        const char *end = memchr(page->data + i, '\n', page->len - i);
        assert_non_null(end);
        struct slice line = {page->data + i, (size_t)(end - (page->data + i))};
        struct buf safe = BUF_INIT;
        parity_text_put(&safe, line);
        if (!slice_equal(buf_slice(&safe), line))
            fail_msg("%.*s", SLICE_ARG(buf_slice(&safe)));
        buf_free(&safe);
        i += line.n + 1;
    }
}

typedef void put_fn(struct buf *out, const struct parity_result *result, const struct parity_style *style);

static void no_format_lets_controls_through(void **state)
{
    (void)state;
    static put_fn *const formats[] = {parity_put_table, parity_put_json, parity_put_junit, parity_put_markdown};
    static const size_t widths[] = {0, 1, 20, 40, 60, 61, 80, 100, 133, 400};
    struct made made;
    make_ugly(&made);
    for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++) {
        for (size_t w = 0; w < sizeof widths / sizeof widths[0]; w++) {
            struct buf page = BUF_INIT;
            formats[f](&page, &made.result, &(struct parity_style){.max_diffs = 20, .width = widths[w]});
            is_harmless(&page);
            buf_free(&page);
        }
    }
    drop(&made);
}

static void the_table(void **state)
{
    (void)state;
    struct made made;
    make_ugly(&made);
    made.result.right = "repo";
    struct buf page = BUF_INIT;
    parity_put_table(&page, &made.result, &(struct parity_style){.max_diffs = 20});
    static const char expected[] =
        "legacy | repo\n"
        "\n"
        "  endpoint           rows  bytes  result\n"
        "  account_totals       30   1200  equal\n"
        "  positions                       nothing\n"
        "  crypto_prices        30   1200  unsettled: 4 did not stay\n"
        "  leaderboard                     not compared: repo: \\u001b[2J\\u009b\\u202e<&\"|`\n"
        "  trades          30 | 29   1200  different: 1 value, 1 missing, 1 null-vs-absent\n"
        "  analytics_one        30   1200  different: 1 type (1 model)\n"
        "\n"
        "trades\n"
        "  missing         $.trades[id=a<b&c|d`\\u001b[2J\\u009b\\u202e]  {\"id\":\"``\"} | (absent)\n"
        "  value           $.trades[id=x].price  110937 | 110938\n"
        "  null-vs-absent  $.x  null | (absent)\n"
        "\n"
        "analytics_one m|`<\\u001b[2J\\u009b\\u202e\n"
        "  type            $.analytics.n  \"]]>\xf0\x9f\x9a\x80\" | 1\n"
        "\n"
        "6 endpoints: 1 equal, 1 nothing, 1 unsettled, 2 different, 1 not compared\n";
    if (!slice_is(buf_slice(&page), expected))
        fail_msg("%.*s", SLICE_ARG(buf_slice(&page)));
    buf_free(&page);
    drop(&made);
}

static void differences_fit_the_terminal(void **state)
{
    (void)state;
    static const char path[] = "$.conversations[model_id=claude-sonnet-4-5].messages[seq=12].content.and.more.of.it";
    struct buf left = BUF_INIT;
    struct buf right = BUF_INIT;
    for (int i = 0; i < 120; i++) {
        buf_append_str(&left, i == 100 ? "x" : "\xc3\xa9");
        buf_append_str(&right, i == 100 ? "y" : "\xc3\xa9");
    }
    for (size_t width = 60; width < 400; width += 7) {
        struct made made = {0};
        struct parity_endpoint *endpoint = add(&made, READ_CONVERSATIONS, PARITY_DIFFERENT);
        differ(endpoint, PARITY_VALUE, path, buf_cstr(&left), buf_cstr(&right));
        differ(endpoint, PARITY_VALUE, "$.a", buf_cstr(&left), "1");
        differ(endpoint, PARITY_VALUE, "$.a", "1", buf_cstr(&right));
        differ(endpoint, PARITY_MISSING, path, buf_cstr(&left), NULL);
        differ(endpoint, PARITY_VALUE, "$.\xe6\xbc\xa2\xe6\xbc\xa2", "1", "2");
        struct buf page = BUF_INIT;
        parity_put_endpoint_differences(&page, endpoint, &(struct parity_style){.max_diffs = 20, .width = width});
        const char *line = page.data;
        size_t lines = 0;
        for (const char *end; line < page.data + page.len; line = end + 1, lines++) {
            end = memchr(line, '\n', (size_t)(page.data + page.len - line));
            assert_non_null(end);
            size_t columns = parity_text_width((struct slice){line, (size_t)(end - line)});
            if (columns > width)
                fail_msg("%zu of %zu columns: %.*s", columns, width, (int)(end - line), line);
            /* Where the two differ is in what is shown. */
            if (lines == 2 && (!memchr(line, 'x', (size_t)(end - line)) || !memchr(line, 'y', (size_t)(end - line))))
                fail_msg("%.*s", (int)(end - line), line);
        }
        assert_int_equal(lines, 2 + 5);
        buf_free(&page);
        drop(&made);
    }
    buf_free(&left);
    buf_free(&right);
}

static void colors_come_and_go_in_pairs(void **state)
{
    (void)state;
    struct made made;
    make_ugly(&made);
    struct buf plain = BUF_INIT;
    struct buf colored = BUF_INIT;
    struct buf bare = BUF_INIT;
    parity_put_table(&plain, &made.result, &(struct parity_style){.max_diffs = 20, .width = 100});
    parity_put_table(&colored, &made.result, &(struct parity_style){.max_diffs = 20, .width = 100, .color = true});
    int on = 0;
    for (size_t i = 0; i < colored.len; i++) {
        if (colored.data[i] != '\x1b') {
            buf_append_char(&bare, colored.data[i]);
            continue;
        }
        const char *end = memchr(colored.data + i, 'm', colored.len - i);
        assert_non_null(end);
        on += colored.data[i + 2] == '0' ? -1 : 1;
        assert_in_range(on, 0, 1);
        i = (size_t)(end - colored.data);
    }
    assert_int_equal(on, 0);
    assert_true(slice_equal(buf_slice(&bare), buf_slice(&plain)));
    buf_free(&plain);
    buf_free(&colored);
    buf_free(&bare);
    drop(&made);
}

static void what_is_too_much_is_counted(void **state)
{
    (void)state;
    struct made made = {.result = {.left = "a", .right = "b"}};
    struct parity_endpoint *trades = add(&made, READ_TRADES, PARITY_DIFFERENT);
    for (int i = 0; i < 150; i++)
        differ(trades, PARITY_VALUE, "$.x", "1", "2");
    struct buf page = BUF_INIT;
    const struct parity_style three = {.max_diffs = 3};
    parity_put_table(&page, &made.result, &three);
    has(&page, "  and 147 more\n");
    parity_put_json(&page, &made.result, &three);
    has(&page, "],\"more\":147");
    parity_put_junit(&page, &made.result, &three);
    has(&page, "and 147 more\n</failure>");
    parity_put_markdown(&page, &made.result, &three);
    has(&page, "\nand 147 more\n");
    buf_clear(&page);
    parity_put_table(&page, &made.result, &(struct parity_style){.max_diffs = 0});
    buf_append_char(&page, '\0');
    assert_null(strstr(page.data, "more"));
    assert_null(strstr(page.data, "$.x"));
    buf_free(&page);
    drop(&made);
}

static const char *text_at(const cJSON *object, const char *key)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsString(value) ? value->valuestring : NULL;
}

static void the_json(void **state)
{
    (void)state;
    struct made made;
    make_ugly(&made);
    made.result.left = "/\xff\xc3\xa9";
    struct buf page = BUF_INIT;
    struct err err = ERR_INIT;
    parity_put_json(&page, &made.result, &(struct parity_style){.max_diffs = 20});
    cJSON *document = json_parse(buf_slice(&page), &err);
    if (!document)
        fail_msg("%s", err.text);
    assert_string_equal(text_at(document, "left"), "/\\xff\xc3\xa9");
    assert_string_equal(text_at(document, "right"), "/tmp/<&\"|`" SHY);
    assert_string_equal(text_at(document, "result"), "not compared");
    assert_string_equal(text_at(document, "started_at"), "2025-10-26T04:19:14.435Z");
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(document, "endpoints");
    assert_int_equal(cJSON_GetArraySize(list), 6);
    const cJSON *leaderboard = cJSON_GetArrayItem(list, 3);
    assert_string_equal(text_at(leaderboard, "reason"), "repo: " SHY "<&\"|`");
    const cJSON *trades = cJSON_GetArrayItem(list, 4);
    assert_string_equal(text_at(trades, "endpoint"), "trades");
    assert_string_equal(text_at(trades, "result"), "different");
    const cJSON *first = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(trades, "differences"), 0);
    assert_string_equal(text_at(first, "class"), "missing");
    assert_string_equal(text_at(first, "path"), "$.trades[id=a<b&c|d`" SHY "]");
    assert_string_equal(text_at(first, "left"), "{\"id\":\"``\"}");
    assert_true(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(first, "right")));
    const cJSON *counts = cJSON_GetObjectItemCaseSensitive(trades, "counts");
    assert_int_equal(cJSON_GetArraySize(counts), PARITY_CLASS_COUNT);
    assert_int_equal(cJSON_GetObjectItemCaseSensitive(counts, "value")->valueint, 1);
    assert_int_equal(cJSON_GetObjectItemCaseSensitive(counts, "order")->valueint, 0);
    assert_int_equal(memchr(page.data, '\n', page.len) == page.data + page.len - 1, 1);
    cJSON_Delete(document);
    buf_free(&page);
    drop(&made);
}

static void the_junit(void **state)
{
    (void)state;
    struct made made;
    make_ugly(&made);
    struct buf page = BUF_INIT;
    parity_put_junit(&page, &made.result, &(struct parity_style){.max_diffs = 20});
    has(&page, "name=\"nof0ctl parity: legacy | /tmp/&lt;&amp;&quot;|`\\u001b[2J\\u009b\\u202e\" tests=\"6\" "
               "failures=\"2\" errors=\"1\" skipped=\"2\" time=\"1.250\" timestamp=\"2025-10-26T04:19:14\">");
    has(&page, "<error type=\"not compared\" message=\"repo: \\u001b[2J\\u009b\\u202e&lt;&amp;&quot;|`\"/>");
    has(&page, "<skipped message=\"unsettled: 4 differences did not stay\"/>");
    has(&page, "missing $.trades[id=a&lt;b&amp;c|d`\\u001b[2J\\u009b\\u202e]: {&quot;id&quot;:&quot;``&quot;} | "
               "(absent)\n");
    has(&page, "m|`&lt;\\u001b[2J\\u009b\\u202e type $.analytics.n: &quot;]]&gt;\xf0\x9f\x9a\x80&quot; | 1\n");
    buf_free(&page);
    drop(&made);
}

static void the_markdown(void **state)
{
    (void)state;
    struct made made;
    make_ugly(&made);
    struct buf page = BUF_INIT;
    parity_put_markdown(&page, &made.result, &(struct parity_style){.max_diffs = 20});
    has(&page, "## Parity: `legacy` and `` /tmp/<&\"\\|`\\u001b[2J\\u009b\\u202e ``\n");
    has(&page, "| trades | 30 / 29 | 1200 | different | 1 value, 1 missing, 1 null-vs-absent |\n");
    has(&page, "| leaderboard | | | not compared | `` repo: ");
    has(&page,
        "| missing | `` $.trades[id=a<b&c\\|d`\\u001b[2J\\u009b\\u202e] `` | ``` {\"id\":\"``\"} ``` | absent |\n");
    has(&page, "| type | `` m\\|`<\\u001b[2J\\u009b\\u202e `` `$.analytics.n` | ");
    buf_free(&page);
    drop(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_format_lets_controls_through),
        cmocka_unit_test(the_table),
        cmocka_unit_test(differences_fit_the_terminal),
        cmocka_unit_test(colors_come_and_go_in_pairs),
        cmocka_unit_test(what_is_too_much_is_counted),
        cmocka_unit_test(the_json),
        cmocka_unit_test(the_junit),
        cmocka_unit_test(the_markdown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
