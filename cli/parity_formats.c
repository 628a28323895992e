#include "base/clock.h"
#include "base/json_write.h"
#include "base/utf8.h"
#include "cli/parity_render.h"
#include "cli/parity_text.h"

#include <inttypes.h>

enum { US_PER_MS = 1000 };

static double seconds(int64_t from_us, int64_t to_us)
{
    return (double)(to_us - from_us) / 1e6;
}

/* --- JSON --- */

/* Names of folders are any bytes; JSON is UTF-8. */
static void put_value(struct json_writer *w, const char *key, struct slice text)
{
    struct buf safe = BUF_INIT;
    bool good = true;
    for (size_t i = 0; good && i < text.n;) {
        size_t length = utf8_length(text.p + i, text.p + text.n);
        good = length != 0;
        i += length;
    }
    if (!good) {
        parity_text_put(&safe, text);
        text = buf_slice(&safe);
    }
    json_key(w, slice_of(key));
    if (text.p)
        json_string(w, text);
    else
        json_null(w);
    buf_free(&safe);
}

static void put_text(struct json_writer *w, const char *key, const char *text)
{
    put_value(w, key, slice_of(text));
}

static void put_count(struct json_writer *w, const char *key, uint64_t count)
{
    json_key(w, slice_of(key));
    json_i64(w, (int64_t)count);
}

static void put_json_difference(void *arg, const struct parity_pair *pair, const struct parity_difference *difference)
{
    struct json_writer *w = arg;
    json_begin_object(w);
    put_text(w, "class", parity_class_name(difference->class));
    put_text(w, "model", pair->model);
    put_value(w, "path", difference->path);
    put_value(w, "left", difference->left);
    put_value(w, "right", difference->right);
    json_end_object(w);
}

static void put_json_side(struct json_writer *w, const char *key, const struct parity_side *side)
{
    json_key(w, slice_of(key));
    json_begin_object(w);
    put_count(w, "bytes", side->bytes);
    put_count(w, "rows", side->rows);
    put_count(w, "of_rows", side->of_rows);
    json_end_object(w);
}

static void put_json_endpoint(struct json_writer *w, const struct parity_endpoint *endpoint, size_t max_diffs)
{
    json_begin_object(w);
    put_text(w, "endpoint", endpoint->endpoint->name);
    put_text(w, "result", parity_verdict_name(endpoint->verdict));
    put_text(w, "reason", endpoint->reason);
    put_count(w, "documents", endpoint->comparisons);
    put_count(w, "documents_different", endpoint->mismatches);
    put_count(w, "documents_not_compared", endpoint->failures);
    put_json_side(w, "left", &endpoint->left);
    put_json_side(w, "right", &endpoint->right);
    json_key(w, SLICE("counts"));
    json_begin_object(w);
    for (size_t i = 0; i < PARITY_CLASS_COUNT; i++)
        put_count(w, parity_class_name((enum parity_class)i), endpoint->counts.differences[i]);
    json_end_object(w);
    put_count(w, "unsettled", endpoint->unsettled);
    json_key(w, SLICE("differences"));
    json_begin_array(w);
    size_t shown = parity_each_shown(endpoint, max_diffs, put_json_difference, w);
    json_end_array(w);
    put_count(w, "more", parity_counts_sum(&endpoint->counts) - shown);
    json_key(w, SLICE("seconds"));
    json_double(w, seconds(endpoint->started_us, endpoint->ended_us));
    json_end_object(w);
}

void parity_put_json(struct buf *out, const struct parity_result *result, const struct parity_style *style)
{
    static const char *const words[] = {"equal", "different", "not compared"};
    struct buf raw = BUF_INIT;
    struct json_writer w = json_writer_on(&raw);
    char time[CLOCK_ISO_SIZE];
    json_begin_object(&w);
    put_text(&w, "left", result->left);
    put_text(&w, "right", result->right);
    put_text(&w, "model", result->model);
    json_key(&w, SLICE("sample_rows"));
    if (result->sample.kind == PARITY_SAMPLE_ROWS)
        json_i64(&w, (int64_t)result->sample.rows);
    else
        json_null(&w);
    json_key(&w, SLICE("sample_share"));
    if (result->sample.kind == PARITY_SAMPLE_SHARE)
        json_double(&w, result->sample.share);
    else
        json_null(&w);
    put_text(&w, "started_at", clock_format_iso(time, result->started_us / US_PER_MS));
    json_key(&w, SLICE("seconds"));
    json_double(&w, seconds(result->started_us, result->ended_us));
    put_count(&w, "looks", result->looks);
    put_text(&w, "result", words[parity_result_code(result)]);
    json_key(&w, SLICE("endpoints"));
    json_begin_array(&w);
    for (size_t i = 0; i < result->count; i++)
        put_json_endpoint(&w, &result->endpoints[i], style->max_diffs);
    json_end_array(&w);
    json_end_object(&w);
    /* What it escapes stands in strings alone, where JSON knows the same escapes. */
    parity_text_put(out, buf_slice(&raw));
    buf_append_char(out, '\n');
    buf_free(&raw);
}

/* --- JUnit XML --- */

/* Text of an attribute or an element. Controls, which XML 1.0 cannot hold, were made visible before. */
static void put_xml(struct buf *out, struct slice text)
{
    struct buf safe = BUF_INIT;
    parity_text_put(&safe, text);
    for (size_t i = 0; i < safe.len; i++) {
        switch (safe.data[i]) {
        case '&':
            buf_append_str(out, "&amp;");
            break;
        case '<':
            buf_append_str(out, "&lt;");
            break;
        case '>':
            buf_append_str(out, "&gt;");
            break;
        case '"':
            buf_append_str(out, "&quot;");
            break;
        default:
            buf_append_char(out, safe.data[i]);
        }
    }
    buf_free(&safe);
}

static void put_side(struct buf *out, struct slice value)
{
    if (value.p)
        put_xml(out, value);
    else
        buf_append_str(out, "(absent)");
}

static void put_junit_difference(void *arg, const struct parity_pair *pair, const struct parity_difference *difference)
{
    struct buf *out = arg;
    if (pair->model) {
        put_xml(out, slice_of(pair->model));
        buf_append_char(out, ' ');
    }
    buf_printf(out, "%s ", parity_class_name(difference->class));
    put_xml(out, difference->path);
    buf_append_str(out, ": ");
    put_side(out, difference->left);
    buf_append_str(out, " | ");
    put_side(out, difference->right);
    buf_append_char(out, '\n');
}

static void put_junit_different(struct buf *out, const struct parity_endpoint *endpoint, size_t max_diffs)
{
    buf_append_str(out, "      <failure type=\"different\" message=\"");
    parity_put_counts(out, &endpoint->counts);
    buf_append_str(out, "\">");
    uint64_t shown = parity_each_shown(endpoint, max_diffs, put_junit_difference, out);
    if (parity_counts_sum(&endpoint->counts) > shown)
        buf_printf(out, "and %" PRIu64 " more\n", parity_counts_sum(&endpoint->counts) - shown);
    buf_append_str(out, "</failure>\n");
}

static void put_junit_case(struct buf *out, const struct parity_endpoint *endpoint, size_t max_diffs)
{
    buf_printf(out, "    <testcase classname=\"parity\" name=\"%s\" time=\"%.3f\">\n", endpoint->endpoint->name,
               seconds(endpoint->started_us, endpoint->ended_us));
    switch (endpoint->verdict) {
    case PARITY_DIFFERENT:
        put_junit_different(out, endpoint, max_diffs);
        break;
    case PARITY_NOT_COMPARED:
        buf_append_str(out, "      <error type=\"not compared\" message=\"");
        put_xml(out, slice_of(endpoint->reason));
        buf_append_str(out, "\"/>\n");
        break;
    case PARITY_UNSETTLED:
        buf_printf(out, "      <skipped message=\"unsettled: %" PRIu64 " differences did not stay\"/>\n",
                   endpoint->unsettled);
        break;
    case PARITY_NOTHING:
        buf_append_str(out, "      <skipped message=\"neither side has anything of it\"/>\n");
        break;
    case PARITY_EQUAL:
    case PARITY_VERDICT_COUNT:
        break;
    }
    buf_append_str(out, "    </testcase>\n");
}

void parity_put_junit(struct buf *out, const struct parity_result *result, const struct parity_style *style)
{
    size_t counts[PARITY_VERDICT_COUNT] = {0};
    char time[CLOCK_ISO_SIZE];
    for (size_t i = 0; i < result->count; i++)
        counts[result->endpoints[i].verdict]++;
    buf_append_str(out,
                   "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"nof0ctl parity: ");
    put_xml(out, slice_of(result->left));
    buf_append_str(out, " | ");
    put_xml(out, slice_of(result->right));
    /* ISO 8601 without the zone, as the schema of JUnit's reports wants it. */
    (void)clock_format_iso(time, result->started_us / US_PER_MS);
    buf_printf(out,
               "\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\" time=\"%.3f\" timestamp=\"%.19s\">\n",
               result->count, counts[PARITY_DIFFERENT], counts[PARITY_NOT_COMPARED],
               counts[PARITY_UNSETTLED] + counts[PARITY_NOTHING], seconds(result->started_us, result->ended_us), time);
    for (size_t i = 0; i < result->count; i++)
        put_junit_case(out, &result->endpoints[i], style->max_diffs);
    buf_append_str(out, "  </testsuite>\n</testsuites>\n");
}

/* --- Markdown --- */

/* Code in a cell of a table: the fence is longer than any run of backticks in the text, and a bar is escaped, which
 * GitHub undoes inside a table even in code. */
static void put_code(struct buf *out, struct slice text)
{
    struct buf safe = BUF_INIT;
    parity_text_put(&safe, text);
    size_t longest = 0;
    for (size_t i = 0, run = 0; i < safe.len; i++) {
        run = safe.data[i] == '`' ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    for (size_t i = 0; i <= longest; i++)
        buf_append_char(out, '`');
    if (longest || !safe.len)
        buf_append_char(out, ' ');
    for (size_t i = 0; i < safe.len; i++) {
        if (safe.data[i] == '|')
            buf_append_char(out, '\\');
        buf_append_char(out, safe.data[i]);
    }
    if (longest || !safe.len)
        buf_append_char(out, ' ');
    for (size_t i = 0; i <= longest; i++)
        buf_append_char(out, '`');
    buf_free(&safe);
}

static void put_markdown_side(struct buf *out, struct slice value)
{
    if (value.p)
        put_code(out, value);
    else
        buf_append_str(out, "absent");
}

static void put_markdown_difference(void *arg, const struct parity_pair *pair,
                                    const struct parity_difference *difference)
{
    struct buf *out = arg;
    buf_printf(out, "| %s | ", parity_class_name(difference->class));
    if (pair->model) {
        put_code(out, slice_of(pair->model));
        buf_append_char(out, ' ');
    }
    put_code(out, difference->path);
    buf_append_str(out, " | ");
    put_markdown_side(out, difference->left);
    buf_append_str(out, " | ");
    put_markdown_side(out, difference->right);
    buf_append_str(out, " |\n");
}

static void put_markdown_differences(struct buf *out, const struct parity_endpoint *endpoint, size_t max_diffs)
{
    if (!endpoint->mismatches || !max_diffs)
        return;
    buf_printf(out, "\n### %s\n\n| class | path | left | right |\n|---|---|---|---|\n", endpoint->endpoint->name);
    uint64_t shown = parity_each_shown(endpoint, max_diffs, put_markdown_difference, out);
    if (parity_counts_sum(&endpoint->counts) > shown)
        buf_printf(out, "\nand %" PRIu64 " more\n", parity_counts_sum(&endpoint->counts) - shown);
}

static void put_markdown_number(struct buf *out, size_t left, size_t right)
{
    buf_printf(out, " %zu", left);
    if (left != right)
        buf_printf(out, " / %zu", right);
}

static void put_markdown_row(struct buf *out, const struct parity_endpoint *endpoint)
{
    buf_printf(out, "| %s |", endpoint->endpoint->name);
    if (endpoint->comparisons)
        put_markdown_number(out, endpoint->left.rows, endpoint->right.rows);
    buf_append_str(out, " |");
    if (endpoint->comparisons)
        put_markdown_number(out, endpoint->left.bytes, endpoint->right.bytes);
    buf_printf(out, " | %s | ", parity_verdict_name(endpoint->verdict));
    parity_put_counts(out, &endpoint->counts);
    if (endpoint->unsettled)
        buf_printf(out, "%s%" PRIu64 " did not stay", endpoint->mismatches ? ", " : "", endpoint->unsettled);
    if (endpoint->reason) {
        buf_append_str(out, endpoint->mismatches || endpoint->unsettled ? "; " : "");
        put_code(out, slice_of(endpoint->reason));
    }
    buf_append_str(out, " |\n");
}

void parity_put_markdown(struct buf *out, const struct parity_result *result, const struct parity_style *style)
{
    buf_append_str(out, "## Parity: ");
    put_code(out, slice_of(result->left));
    buf_append_str(out, " and ");
    put_code(out, slice_of(result->right));
    buf_append_str(out, "\n\n");
    parity_put_summary(out, result);
    if (result->model) {
        buf_append_str(out, "; only rows of ");
        put_code(out, slice_of(result->model));
    }
    if (result->sample.kind == PARITY_SAMPLE_ROWS)
        buf_printf(out, "; a sample of %" PRIu64 " rows of each document", result->sample.rows);
    else if (result->sample.kind == PARITY_SAMPLE_SHARE)
        buf_printf(out, "; a sample of %g %% of the rows", result->sample.share * 100);
    buf_append_str(out, "\n\n| endpoint | rows | bytes | result | differences |\n|---|--:|--:|---|---|\n");
    for (size_t i = 0; i < result->count; i++)
        put_markdown_row(out, &result->endpoints[i]);
    for (size_t i = 0; i < result->count; i++)
        put_markdown_differences(out, &result->endpoints[i], style->max_diffs);
}
