/* Any bytes: no crash; what is taken is written and read back to the same. */
#include "flags/store.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct flag_store_rows rows;
    struct flag_store_rows back;
    struct buf text = BUF_INIT;
    struct err err = ERR_INIT;
    if (flag_mirror_parse((struct slice){(const char *)data, size}, &rows, &err)) {
        flag_mirror_put(&text, &rows);
        if (!flag_mirror_parse(buf_slice(&text), &back, &err) || back.version != rows.version)
            abort();
        for (size_t i = 0; i < FLAG_COUNT; i++)
            if (back.flags[i].set != rows.flags[i].set || back.flags[i].version != rows.flags[i].version ||
                !flag_value_equal(back.flags[i].value, rows.flags[i].value))
                abort();
    }
    /* And as an operator's value, for each flag. */
    for (unsigned i = 0; i < FLAG_COUNT; i++) {
        struct flag_value value;
        struct flag_value again;
        if (!flag_value_parse((enum flag)i, (struct slice){(const char *)data, size}, &value, &err))
            continue;
        buf_clear(&text);
        flag_value_put(&text, (enum flag)i, value);
        if (!flag_value_parse((enum flag)i, buf_slice(&text), &again, &err) || !flag_value_equal(value, again))
            abort();
    }
    (void)flag_bucket((struct slice){(const char *)data, size});
    buf_free(&text);
    return 0;
}
