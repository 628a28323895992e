/* Any bytes are safe to look at, and JSON that was wrapped comes back as it was. */
#include "base/json_read.h"
#include "repo/json_exact.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *)data, size};
    struct arena *arena = arena_new(0);
    struct err err = ERR_INIT;
    struct slice back;
    bool needed = json_exact_needed(text);
    bool unwrapped = json_exact_unwrap(text, arena, &back, &err);
    /* What unwraps to another text must have had the wrapped form. */
    if (unwrapped && back.p != text.p && !needed)
        abort();
    if (json_check(text, NULL, NULL)) {
        struct buf out = BUF_INIT;
        json_exact_wrap(&out, text);
        struct buf stored = BUF_INIT;
        buf_append(&stored, out.data, 10);
        buf_append_char(&stored, ' ');
        buf_append(&stored, out.data + 10, out.len - 10);
        if (!json_exact_unwrap(buf_slice(&stored), arena, &back, &err) || !slice_equal(back, text))
            abort();
        buf_free(&stored);
        buf_free(&out);
    }
    arena_free(arena);
    return 0;
}
