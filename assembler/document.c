#include "assembler/document.h"

bool document_open_detail(struct wire_detail *detail, const struct feed_documents_row *document, struct err *err)
{
    if (!document)
        return wire_detail_open(detail, (struct slice){NULL, 0}, err);
    if (wire_detail_open(detail, document->wire_detail, err))
        return true;
    return err_wrap(err, "stored feed document \"%.*s\"", SLICE_ARG(document->name));
}

bool document_put_members(struct json_writer *w, const struct feed_documents_row *document, struct err *err)
{
    struct wire_detail detail;
    if (!document_open_detail(&detail, document, err))
        return false;
    wire_detail_put_set(w, &detail, (const char *const[]){"serverTime", NULL});
    wire_detail_close(&detail);
    return true;
}

bool document_end(struct buf *out, size_t start, bool ok)
{
    if (!ok)
        out->len = start;
    return ok;
}

bool document_put_rows(struct buf *out, const char *key, const struct wire_shape *shape, const void *rows, size_t count,
                       size_t row_size, const struct feed_documents_row *document, struct err *err)
{
    size_t start = out->len;
    struct json_writer w = json_writer_on(out);
    json_begin_object(&w);
    json_key(&w, slice_of(key));
    json_begin_array(&w);
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        json_raw(&w, SLICE(""));
        ok = wire_put_object(out, shape, (const char *)rows + i * row_size, err);
    }
    json_end_array(&w);
    return document_end(out, start, ok && document_put_members(&w, document, err));
}
