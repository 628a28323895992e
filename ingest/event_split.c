#include "ingest/event_split.h"

#include "base/json_read.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t skip_blanks(struct slice text, size_t at)
{
    while (at < text.n && is_blank(text.p[at]))
        at++;
    return at;
}

/* Behind a string that begins at `at`; text.n when it does not end. */
static size_t skip_string(struct slice text, size_t at)
{
    for (at++; at < text.n && text.p[at] != '"'; at++)
        if (text.p[at] == '\\')
            at++;
    return at < text.n ? at + 1 : text.n;
}

/* Behind the value at `at`: behind its closing bracket, or before the comma or bracket that ends it. */
static size_t skip_value(struct slice text, size_t at)
{
    size_t depth = 0;
    while (at < text.n) {
        char c = text.p[at];
        if (c == '"') {
            at = skip_string(text, at);
        } else if (c == '{' || c == '[') {
            depth++;
            at++;
        } else if (depth && (c == '}' || c == ']')) {
            depth--;
            at++;
            if (depth == 0)
                return at;
        } else if (!depth && (c == ',' || c == ']' || c == '}')) {
            return at;
        } else {
            at++;
        }
    }
    return at;
}

static bool fault(struct slice text, size_t at, const char *what, struct err *err)
{
    unsigned long line;
    unsigned long column;
    json_locate(text, at, &line, &column);
    return err_set(err, ERR_INVALID, "line %lu, column %lu: %s", line, column, what);
}

bool event_split_json(struct slice text, event_item_fn *on_item, void *arg, struct err *err)
{
    size_t at = skip_blanks(text, 0);
    if (at == text.n)
        return fault(text, at, "there is no JSON", err);
    if (text.p[at] != '[')
        return on_item(arg, text);
    at = skip_blanks(text, at + 1);
    for (bool first = true; at < text.n && text.p[at] != ']'; first = false) {
        if (!first) {
            if (text.p[at] != ',')
                return fault(text, at, "a comma or the end of the array belongs here", err);
            at = skip_blanks(text, at + 1);
        }
        size_t end = skip_value(text, at);
        size_t stop = end;
        while (stop > at && is_blank(text.p[stop - 1]))
            stop--;
        if (stop == at)
            return fault(text, at, "a value belongs here", err);
        if (end == text.n)
            return fault(text, end, "the array does not end", err);
        if (!on_item(arg, (struct slice){text.p + at, stop - at}))
            return false;
        at = skip_blanks(text, end);
    }
    if (at >= text.n)
        return fault(text, text.n, "the array does not end", err);
    at = skip_blanks(text, at + 1);
    return at == text.n || fault(text, at, "something follows the array", err);
}

bool event_next_line(struct slice *text, bool last, struct slice *line)
{
    const char *end = text->n ? memchr(text->p, '\n', text->n) : NULL;
    if (!end && (!last || text->n == 0))
        return false;
    *line = (struct slice){text->p, end ? (size_t)(end - text->p) : text->n};
    size_t taken = line->n + (end ? 1 : 0);
    *text = (struct slice){text->p + taken, text->n - taken};
    while (line->n && is_blank(line->p[0])) {
        line->p++;
        line->n--;
    }
    while (line->n && is_blank(line->p[line->n - 1]))
        line->n--;
    return true;
}
