#include "assembler/assembler.h"
#include "assembler/document.h"

bool assemble_crypto_prices(const struct read_query *query, const struct repo_answer *answer, struct buf *out,
                            struct err *err)
{
    (void)query;
    size_t start = out->len;
    struct json_writer w = json_writer_on(out);
    json_begin_object(&w);
    json_key(&w, SLICE("prices"));
    json_begin_object(&w);
    bool ok = true;
    for (size_t i = 0; ok && i < answer->price_count; i++) {
        json_key(&w, answer->prices[i].symbol);
        json_raw(&w, SLICE(""));
        ok = wire_put_object(out, &wire_price, &answer->prices[i], err);
    }
    json_end_object(&w);
    return document_end(out, start, ok && document_put_members(&w, answer->document, err));
}
