/* Any bytes as a file of each kind: a good one gives a body that is JSON again, whose elements lie inside it. */
#include "base/json_read.h"
#include "legacy/content.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_content(enum read_kind kind, const struct legacy_content *content)
{
    struct buf closed = BUF_INIT;
    buf_append(&closed, content->body, content->body_len);
    buf_append_char(&closed, '}');
    if (!json_check(buf_slice(&closed), NULL, NULL))
        abort();
    for (size_t i = 0; i < content->count; i++) {
        struct slice json = content->elements[i].json;
        if (json.p < content->body || json.p + json.n > content->body + content->body_len ||
            !json_check(json, NULL, NULL))
            abort();
    }
    struct err err = ERR_INIT;
    struct legacy_content *again = legacy_content_parse(kind, buf_slice(&closed), &err);
    if (!again || again->body_len != content->body_len || memcmp(again->body, content->body, content->body_len) != 0)
        abort();
    legacy_content_unref(again);
    buf_free(&closed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    enum read_kind kind = (enum read_kind)(data[0] % READ_KIND_COUNT);
    struct err err = ERR_INIT;
    struct legacy_content *content = legacy_content_parse(kind, (struct slice){(const char *)data + 1, size - 1}, &err);
    if (content)
        check_content(kind, content);
    else if (err.code == ERR_NONE || !err.text[0])
        abort();
    legacy_content_unref(content);
    return 0;
}
