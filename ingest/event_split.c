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

/* A step that came to the window's end: there is more to see, or there is not. */
static enum event_step at_end(struct event_array *array, size_t at, bool last, const char *what_is_missing,
                              const char **what)
{
    if (!last)
        return EVENT_STEP_MORE;
    array->at = at;
    *what = what_is_missing;
    return EVENT_STEP_FAULT;
}

static enum event_step fault(struct event_array *array, size_t at, const char *why, const char **what)
{
    array->at = at;
    *what = why;
    return EVENT_STEP_FAULT;
}

static enum event_step behind(struct event_array *array, struct slice window, bool last, const char **what)
{
    array->at = skip_blanks(window, array->at);
    if (array->at < window.n)
        return fault(array, array->at, "something follows the array", what);
    return last ? EVENT_STEP_END : EVENT_STEP_MORE;
}

enum event_step event_array_next(struct event_array *array, struct slice window, bool last, struct slice *item,
                                 const char **what)
{
    static const char no_end[] = "the array does not end";
    if (array->closed)
        return behind(array, window, last, what);
    size_t at = skip_blanks(window, array->at);
    if (!array->opened && at < window.n) {
        array->opened = true;
        array->at = at + 1;
        at = skip_blanks(window, at + 1);
    }
    if (at >= window.n)
        return at_end(array, window.n, last, no_end, what);
    if (window.p[at] == ']' && array->opened) {
        array->closed = true;
        array->at = at + 1;
        return behind(array, window, last, what);
    }
    if (array->started) {
        if (window.p[at] != ',')
            return fault(array, at, "a comma or the end of the array belongs here", what);
        at = skip_blanks(window, at + 1);
        if (at >= window.n)
            return at_end(array, window.n, last, no_end, what);
    }
    size_t end = skip_value(window, at);
    size_t stop = end;
    while (stop > at && is_blank(window.p[stop - 1]))
        stop--;
    if (end == window.n && !last)
        return EVENT_STEP_MORE;
    if (stop == at)
        return fault(array, at, "a value belongs here", what);
    if (end == window.n)
        return fault(array, end, no_end, what);
    array->started = true;
    array->at = end;
    *item = (struct slice){window.p + at, stop - at};
    return EVENT_STEP_ITEM;
}

static bool tell(struct slice text, size_t at, const char *what, struct err *err)
{
    unsigned long line;
    unsigned long column;
    json_locate(text, at, &line, &column);
    return err_set(err, ERR_INVALID, "line %lu, column %lu: %s", line, column, what);
}

bool event_split_json(struct slice text, event_item_fn *on_item, void *arg, struct err *err)
{
    size_t start = skip_blanks(text, 0);
    if (start == text.n)
        return tell(text, start, "there is no JSON", err);
    if (text.p[start] != '[')
        return on_item(arg, text);
    struct event_array array = {0};
    struct slice item = {NULL, 0};
    const char *what = "";
    enum event_step step;
    while ((step = event_array_next(&array, text, true, &item, &what)) == EVENT_STEP_ITEM)
        if (!on_item(arg, item))
            return false;
    return step == EVENT_STEP_END || tell(text, array.at, what, err);
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
