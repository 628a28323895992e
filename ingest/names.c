#include "ingest/names.h"

#include "base/json_write.h"

void names_start(struct names *names)
{
    *names = (struct names){.seen = once_new(), .last = BUF_INIT, .json = BUF_INIT};
}

void names_stop(struct names *names)
{
    once_free(names->seen);
    buf_free(&names->last);
    buf_free(&names->json);
    *names = (struct names){0};
}

void names_add(struct names *names, struct slice name)
{
    size_t before = once_count(names->seen);
    if (before && slice_equal(buf_slice(&names->last), name))
        return;
    buf_clear(&names->last);
    buf_append_slice(&names->last, name);
    once_add(names->seen, name, SLICE("x"));
    if (once_count(names->seen) == before)
        return;
    if (before)
        buf_append_char(&names->json, ',');
    json_put_string(&names->json, name);
}

void names_put_json(const struct names *names, struct buf *out)
{
    buf_append_char(out, '[');
    buf_append_slice(out, buf_slice(&names->json));
    buf_append_char(out, ']');
}
