/* Any bytes as an answer of each endpoint: what is found good comes apart, equals itself, and totals merge to a good
 * list. */
#include "base/buf.h"
#include "ingest/capture_document.h"
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
        if (i == CAPTURE_ACCOUNT_TOTALS)
            totals(text);
    }
    return 0;
}
