/* Any bytes: items lie inside of the text, in order, and lines together are the text. */
#include "ingest/event_split.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct walk {
    const char *at; /* behind the last item */
    const char *end;
    size_t left; /* items until it stops */
};

static bool on_item(void *arg, struct slice item)
{
    struct walk *walk = arg;
    if (item.n == 0 || item.p < walk->at || item.p + item.n > walk->end)
        abort();
    walk->at = item.p + item.n;
    return walk->left-- > 0;
}

static void lines(struct slice text)
{
    struct slice rest = text;
    struct slice line;
    size_t breaks = 0;
    while (event_next_line(&rest, true, &line)) {
        if (rest.p + rest.n != text.p + text.n)
            abort();
        if (line.n && (line.p < text.p || line.p + line.n > rest.p || memchr(line.p, '\n', line.n)))
            abort();
        breaks++;
    }
    for (size_t i = 0; i < text.n; i++)
        breaks -= text.p[i] == '\n';
    if (rest.n || breaks != (text.n > 0 && text.p[text.n - 1] != '\n'))
        abort();
}

/* How many items, and where it came to; the windows grow by `step`. */
static size_t windows(struct slice text, size_t step, size_t *end)
{
    struct event_array array = {0};
    struct slice item = {NULL, 0};
    const char *what = NULL;
    size_t from = 0;
    size_t to = step < text.n ? step : text.n;
    for (size_t count = 0;;) {
        const struct slice window = {text.p + from, to - from};
        switch (event_array_next(&array, window, to == text.n, &item, &what)) {
        case EVENT_STEP_ITEM:
            if (item.n == 0 || item.p < window.p || item.p + item.n > window.p + array.at || array.at > window.n)
                abort();
            count++;
            break;
        case EVENT_STEP_MORE:
            if (to == text.n || array.at > window.n)
                abort();
            from += array.at;
            array.at = 0;
            to = text.n - to < step ? text.n : to + step;
            break;
        case EVENT_STEP_END:
        case EVENT_STEP_FAULT:
            *end = from + array.at;
            return count;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    /* A copy of just that size, so that the sanitizer sees a read behind it. */
    char *copy = malloc(size ? size : 1);
    if (!copy)
        return 0;
    if (size)
        memcpy(copy, bytes, size);
    struct slice text = {copy, size};
    for (size_t most = 0; most < 4; most += 3) {
        struct err err = {ERR_NONE, ""};
        struct walk walk = {copy, copy + size, most ? SIZE_MAX : 1};
        if (!event_split_json(text, on_item, &walk, &err) && most && err.code != ERR_INVALID)
            abort();
    }
    lines(text);
    size_t end = 0;
    size_t end_in_pieces = 0;
    if (size && size < 2000 &&
        (windows(text, size, &end) != windows(text, 1 + bytes[0] % 7U, &end_in_pieces) || end != end_in_pieces))
        abort();
    free(copy);
    return 0;
}
