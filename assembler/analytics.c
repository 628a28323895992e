#include "assembler/assembler.h"
#include "assembler/document.h"
#include "repo/analytics_empty.h"

bool assemble_analytics_all(const struct read_query *query, const struct repo_answer *answer, struct buf *out,
                            struct err *err)
{
    (void)query;
    size_t start = out->len;
    struct json_writer w = json_writer_on(out);
    json_begin_object(&w);
    json_key(&w, SLICE("analytics"));
    json_begin_array(&w);
    for (size_t i = 0; i < answer->analytics_count; i++)
        json_compact(&w, answer->analytics[i].payload);
    json_end_array(&w);
    return document_end(out, start, document_put_members(&w, answer->document, err));
}

bool assemble_analytics_one(const struct read_query *query, const struct repo_answer *answer, struct buf *out,
                            struct err *err)
{
    size_t start = out->len;
    struct json_writer w = json_writer_on(out);
    json_begin_object(&w);
    json_key(&w, SLICE("analytics"));
    if (answer->analytics_count > 0) {
        json_compact(&w, answer->analytics[0].payload);
    } else {
        json_raw(&w, SLICE(""));
        analytics_put_empty(out, query->model_id);
    }
    return document_end(out, start, document_put_members(&w, answer->document, err));
}
