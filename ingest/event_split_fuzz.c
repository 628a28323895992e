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
    free(copy);
    return 0;
}
