/* Any bytes as an answer of each endpoint: what is found good comes apart, equals itself, differs from itself in
 * nothing and from nothing in good items, and totals merge to a good list. */
#include "base/json_read.h"
#include "ingest/capture_diff.h"
#include "ingest/capture_totals.h"

#include <stdlib.h>

static void totals(struct slice text)
{
    struct capture_markers markers;
    struct buf merged = BUF_INIT;
    struct err err = ERR_INIT;
    if (capture_totals_markers(text, &markers)) {
        if (markers.from > markers.highest)
            abort();
        if (capture_totals_merge(text, text, markers.from, &merged) == CAPTURE_TOTALS_MERGED &&
            !capture_check(CAPTURE_ACCOUNT_TOTALS, buf_slice(&merged), &err))
            abort();
    }
    buf_free(&merged);
}

static void on_item(void *arg, enum event_kind kind, struct slice item, const char *path)
{
    size_t *count = arg;
    ++*count;
    cJSON *tree = json_parse(item, NULL);
    if (!cJSON_IsObject(tree) || kind >= EVENT_KIND_COUNT || path[0] != '$')
        abort();
    cJSON_Delete(tree);
}

static void diffs(enum capture_endpoint endpoint, struct slice text)
{
    size_t count = 0;
    struct buf beyond = BUF_INIT;
    struct capture_diff diff = {.endpoint = endpoint, .now = text, .on_item = on_item, .arg = &count};
    (void)capture_diff(&diff, &beyond);
    count = 0;
    struct buf copy = BUF_INIT;
    buf_append_slice(&copy, text);
    diff.before = buf_slice(&copy);
    (void)capture_diff(&diff, &beyond);
    if (count)
        abort();
    buf_free(&copy);
    buf_free(&beyond);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct slice text = {(const char *)bytes, size};
    for (enum capture_endpoint i = 0; i < CAPTURE_ENDPOINT_COUNT; i++) {
        struct err err = ERR_INIT;
        if (!capture_check(i, text, &err)) {
            if (!err.text[0])
                abort();
            continue;
        }
        if (!capture_same(i, text, text))
            abort();
        diffs(i, text);
        if (i == CAPTURE_ACCOUNT_TOTALS)
            totals(text);
    }
    return 0;
}
