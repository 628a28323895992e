#include "cli/parity_render.h"
#include "cli/parity_text.h"

#include <inttypes.h>

/* --- What all formats share --- */

void parity_put_counts(struct buf *out, const struct parity_counts *counts)
{
    const char *comma = "";
    for (size_t i = 0; i < PARITY_CLASS_COUNT; i++) {
        if (!counts->differences[i])
            continue;
        buf_printf(out, "%s%" PRIu64 " %s", comma, counts->differences[i], parity_class_name((enum parity_class)i));
        comma = ", ";
    }
}

size_t parity_each_shown(const struct parity_endpoint *endpoint, size_t most, parity_shown_fn *shown, void *arg)
{
    size_t count = 0;
    for (size_t i = 0; i < endpoint->pair_count; i++) {
        const struct parity_pair *pair = &endpoint->pairs[i];
        size_t kept = pair->findings ? parity_findings_kept(pair->findings) : 0;
        for (size_t k = 0; k < kept && count < most; k++, count++) {
            struct parity_difference difference = parity_findings_at(pair->findings, k);
            shown(arg, pair, &difference);
        }
    }
    return count;
}

void parity_put_summary(struct buf *out, const struct parity_result *result)
{
    size_t verdicts[PARITY_VERDICT_COUNT] = {0};
    for (size_t i = 0; i < result->count; i++)
        verdicts[result->endpoints[i].verdict]++;
    buf_printf(out, "%zu endpoint%s:", result->count, result->count == 1 ? "" : "s");
    const char *comma = "";
    for (size_t i = 0; i < PARITY_VERDICT_COUNT; i++) {
        if (!verdicts[i])
            continue;
        buf_printf(out, "%s %zu %s", comma, verdicts[i], parity_verdict_name((enum parity_verdict)i));
        comma = ",";
    }
}

/* --- Colours --- */

enum color { PLAIN, RED, GREEN, YELLOW, DIM, BOLD };

static void color_on(struct buf *out, const struct parity_style *style, enum color color)
{
    static const char *const codes[] = {[PLAIN] = "",          [RED] = "\x1b[31m", [GREEN] = "\x1b[32m",
                                        [YELLOW] = "\x1b[33m", [DIM] = "\x1b[2m",  [BOLD] = "\x1b[1m"};
    if (style->color)
        buf_append_str(out, codes[color]);
}

static void color_off(struct buf *out, const struct parity_style *style, enum color color)
{
    if (style->color && color != PLAIN)
        buf_append_str(out, "\x1b[0m");
}

static enum color color_of(enum parity_verdict verdict)
{
    static const enum color colors[PARITY_VERDICT_COUNT] = {
        [PARITY_EQUAL] = GREEN,   [PARITY_NOTHING] = DIM,      [PARITY_UNSETTLED] = YELLOW,
        [PARITY_DIFFERENT] = RED, [PARITY_NOT_COMPARED] = RED,
    };
    return colors[verdict];
}

/* --- The lines of the endpoints --- */

enum { INDENT = 2 };

static void put_padded(struct buf *out, const struct buf *cell, size_t width, bool right)
{
    size_t padding = width > cell->len ? width - cell->len : 0;
    buf_printf(out, "%*s", right ? (int)padding : 0, "");
    buf_append_slice(out, buf_slice(cell));
    buf_printf(out, "%*s", right ? 0 : (int)padding, "");
}

/* "230", or "230 | 229" where the sides are not the same. */
static void put_both(struct buf *out, size_t left, size_t right)
{
    buf_printf(out, "%zu", left);
    if (left != right)
        buf_printf(out, " | %zu", right);
}

static void put_rows(struct buf *cell, const struct parity_result *result, const struct parity_endpoint *endpoint)
{
    buf_clear(cell);
    if (endpoint->comparisons == 0)
        return;
    put_both(cell, endpoint->left.rows, endpoint->right.rows);
    if (result->sample.kind != PARITY_SAMPLE_ALL) {
        buf_append_str(cell, " of ");
        put_both(cell, endpoint->left.of_rows, endpoint->right.of_rows);
    }
}

static void put_bytes(struct buf *cell, const struct parity_endpoint *endpoint)
{
    buf_clear(cell);
    if (endpoint->comparisons)
        put_both(cell, endpoint->left.bytes, endpoint->right.bytes);
}

struct widths {
    size_t name, rows, bytes;
};

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static struct widths widths_of(const struct parity_result *result)
{
    struct widths widths = {strlen("endpoint"), strlen("rows"), strlen("bytes")};
    struct buf cell = BUF_INIT;
    for (size_t i = 0; i < result->count; i++) {
        const struct parity_endpoint *endpoint = &result->endpoints[i];
        widths.name = larger(widths.name, strlen(endpoint->endpoint->name));
        put_rows(&cell, result, endpoint);
        widths.rows = larger(widths.rows, cell.len);
        put_bytes(&cell, endpoint);
        widths.bytes = larger(widths.bytes, cell.len);
    }
    buf_free(&cell);
    return widths;
}

/* "different: 1 missing, 2 value". */
static void put_verdict(struct buf *out, const struct parity_endpoint *endpoint)
{
    buf_append_str(out, parity_verdict_name(endpoint->verdict));
    const char *before = ": ";
    if (endpoint->reason) {
        buf_append_str(out, before);
        parity_text_put(out, slice_of(endpoint->reason));
        before = "; ";
        if (endpoint->failures > 1)
            buf_printf(out, " (and %" PRIu64 " more)", endpoint->failures - 1);
    }
    if (endpoint->mismatches) {
        buf_append_str(out, before);
        parity_put_counts(out, &endpoint->counts);
        before = "; ";
    }
    if (endpoint->unsettled)
        buf_printf(out, "%s%" PRIu64 " did not stay", before, endpoint->unsettled);
    if (endpoint->endpoint->kind == READ_ANALYTICS_ONE && endpoint->comparisons)
        buf_printf(out, " (%" PRIu64 " model%s)", endpoint->comparisons, endpoint->comparisons == 1 ? "" : "s");
}

void parity_put_endpoint_line(struct buf *out, const struct parity_result *result, size_t at,
                              const struct parity_style *style)
{
    const struct parity_endpoint *endpoint = &result->endpoints[at];
    struct widths widths = widths_of(result);
    struct buf cell = BUF_INIT;
    struct buf verdict = BUF_INIT;
    buf_printf(out, "%*s%-*s  ", INDENT, "", (int)widths.name, endpoint->endpoint->name);
    put_rows(&cell, result, endpoint);
    put_padded(out, &cell, widths.rows, true);
    buf_append_str(out, "  ");
    put_bytes(&cell, endpoint);
    put_padded(out, &cell, widths.bytes, true);
    buf_append_str(out, "  ");

    put_verdict(&verdict, endpoint);
    size_t before = INDENT + widths.name + widths.rows + widths.bytes + 3 * strlen("  ");
    color_on(out, style, color_of(endpoint->verdict));
    if (style->width > before + strlen("not compared"))
        parity_text_cut_end(out, buf_slice(&verdict), style->width - before);
    else
        buf_append_slice(out, buf_slice(&verdict));
    color_off(out, style, color_of(endpoint->verdict));
    buf_append_char(out, '\n');
    buf_free(&cell);
    buf_free(&verdict);
}

/* --- The differences --- */

enum { CLASS_WIDTH = 14, WIDTH_LEAST = 60, PATH_LEAST = 20 };

struct listing {
    struct buf *out;
    const struct parity_style *style;
    const struct parity_endpoint *endpoint;
    const struct parity_pair *pair; /* whose heading was printed */
};

static void put_side(struct buf *out, struct slice value)
{
    if (value.p)
        parity_text_put(out, value);
    else
        buf_append_str(out, "(absent)");
}

/* Appends the value in at most `columns`, from the byte `from` on, with an ellipsis in front when that is not the
 * beginning. */
static void put_value(struct listing *listing, const struct buf *value, size_t from, size_t columns, enum color color)
{
    struct slice rest = {value->data + from, value->len - from};
    color_on(listing->out, listing->style, color);
    if (from) {
        buf_append_str(listing->out, "\xe2\x80\xa6");
        columns--;
    }
    parity_text_cut_end(listing->out, rest, columns);
    color_off(listing->out, listing->style, color);
}

/* Where to begin with two values of which only `columns` each are shown: where they differ must be in it. */
static size_t begin_of(const struct buf *left, const struct buf *right, size_t columns)
{
    enum { BEFORE = 8 };
    size_t common = parity_text_common(buf_slice(left), buf_slice(right));
    if (common < columns / 2 || common >= left->len || common >= right->len)
        return 0;
    size_t from = common > BEFORE ? common - BEFORE : 0;
    while (from > 0 && ((unsigned char)left->data[from] & 0xc0) == 0x80)
        from--;
    return from;
}

/* Both values into the columns that are left of the line. */
static void put_values(struct listing *listing, const struct buf *left, const struct buf *right, size_t columns)
{
    size_t widths[2] = {parity_text_width(buf_slice(left)), parity_text_width(buf_slice(right))};
    size_t room = columns > strlen(" | ") + 2 ? columns - strlen(" | ") : 2;
    size_t from = 0;
    if (listing->style->width && widths[0] + widths[1] > room) {
        size_t half = room / 2;
        size_t shares[2] = {widths[0] < half ? widths[0] : room - (widths[1] < half ? widths[1] : half),
                            widths[1] < half ? widths[1] : room - (widths[0] < half ? widths[0] : half)};
        shares[1] = shares[0] + shares[1] > room ? room - shares[0] : shares[1];
        from = begin_of(left, right, shares[0] < shares[1] ? shares[0] : shares[1]);
        widths[0] = shares[0];
        widths[1] = shares[1];
    }
    put_value(listing, left, from, widths[0], GREEN);
    buf_append_str(listing->out, " | ");
    put_value(listing, right, from, widths[1], RED);
}

static void put_heading(struct listing *listing, const struct parity_pair *pair)
{
    listing->pair = pair;
    buf_append_char(listing->out, '\n');
    color_on(listing->out, listing->style, BOLD);
    buf_append_str(listing->out, listing->endpoint->endpoint->name);
    if (pair->model) {
        buf_append_char(listing->out, ' ');
        parity_text_put(listing->out, slice_of(pair->model));
    }
    color_off(listing->out, listing->style, BOLD);
    buf_append_char(listing->out, '\n');
}

static void put_difference(void *arg, const struct parity_pair *pair, const struct parity_difference *difference)
{
    struct listing *listing = arg;
    struct buf path = BUF_INIT;
    struct buf left = BUF_INIT;
    struct buf right = BUF_INIT;
    if (listing->pair != pair)
        put_heading(listing, pair);
    parity_text_put(&path, difference->path);
    put_side(&left, difference->left);
    put_side(&right, difference->right);

    buf_printf(listing->out, "%*s%-*s  ", INDENT, "", CLASS_WIDTH, parity_class_name(difference->class));
    size_t width = listing->style->width;
    if (width == 0) {
        buf_append_slice(listing->out, buf_slice(&path));
        buf_append_str(listing->out, "  ");
        put_values(listing, &left, &right, 0);
    } else {
        width = width < WIDTH_LEAST ? WIDTH_LEAST : width;
        size_t columns = width - INDENT - CLASS_WIDTH - strlen("  ") - strlen("  ");
        size_t values = parity_text_width(buf_slice(&left)) + parity_text_width(buf_slice(&right)) + strlen(" | ");
        size_t path_columns = values < columns / 2 ? columns - values : columns / 2;
        size_t path_width = parity_text_width(buf_slice(&path));
        path_columns = path_width < path_columns ? path_width : path_columns;
        parity_text_cut_middle(listing->out, buf_slice(&path), path_columns ? path_columns : 1);
        buf_append_str(listing->out, "  ");
        put_values(listing, &left, &right, columns - path_columns);
    }
    buf_append_char(listing->out, '\n');
    buf_free(&path);
    buf_free(&left);
    buf_free(&right);
}

void parity_put_endpoint_differences(struct buf *out, const struct parity_endpoint *endpoint,
                                     const struct parity_style *style)
{
    struct listing listing = {.out = out, .style = style, .endpoint = endpoint};
    uint64_t shown = parity_each_shown(endpoint, style->max_diffs, put_difference, &listing);
    uint64_t all = parity_counts_sum(&endpoint->counts);
    if (shown && all > shown)
        buf_printf(out, "%*sand %" PRIu64 " more\n", INDENT, "", all - shown);
}

/* --- All of it --- */

static void put_limits(struct buf *out, const struct parity_result *result)
{
    if (result->model) {
        buf_append_str(out, ", only rows of ");
        parity_text_put(out, slice_of(result->model));
    }
    if (result->sample.kind == PARITY_SAMPLE_ROWS)
        buf_printf(out, ", a sample of %" PRIu64 " rows of each document", result->sample.rows);
    else if (result->sample.kind == PARITY_SAMPLE_SHARE)
        buf_printf(out, ", a sample of %g %% of the rows", result->sample.share * 100);
}

void parity_put_table(struct buf *out, const struct parity_result *result, const struct parity_style *style)
{
    struct widths widths = widths_of(result);
    parity_text_put(out, slice_of(result->left));
    buf_append_str(out, " | ");
    parity_text_put(out, slice_of(result->right));
    put_limits(out, result);
    buf_append_str(out, "\n\n");
    color_on(out, style, DIM);
    buf_printf(out, "%*s%-*s  %*s  %*s  result", INDENT, "", (int)widths.name, "endpoint", (int)widths.rows, "rows",
               (int)widths.bytes, "bytes");
    color_off(out, style, DIM);
    buf_append_char(out, '\n');
    for (size_t i = 0; i < result->count; i++)
        parity_put_endpoint_line(out, result, i, style);
    for (size_t i = 0; i < result->count; i++)
        parity_put_endpoint_differences(out, &result->endpoints[i], style);
    buf_append_char(out, '\n');
    parity_put_summary(out, result);
    buf_append_char(out, '\n');
}
