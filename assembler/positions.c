#include "assembler/assembler.h"
#include "assembler/document.h"
#include "assembler/position_model.h"
#include "base/mem.h"

#include <stdlib.h>

/* By model; rows of one model keep the order in which they stood. */
static int compare_by_model(const void *left, const void *right)
{
    const struct positions_row *a = *(const struct positions_row *const *)left;
    const struct positions_row *b = *(const struct positions_row *const *)right;
    int order = slice_compare(a->model_id, b->model_id);
    return order ? order : (a > b) - (a < b);
}

/* The index of the first of `rows` whose model is not before `model`. */
static size_t first_of(const struct positions_row *const *rows, size_t count, struct slice model)
{
    size_t low = 0;
    while (count > 0) {
        size_t half = count / 2;
        if (slice_compare(rows[low + half]->model_id, model) < 0) {
            low += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return low;
}

bool assemble_positions(const struct read_query *query, const struct repo_answer *answer, struct buf *out,
                        struct err *err)
{
    (void)query;
    size_t start = out->len;
    /* The database sorts by its own collation, so the order is made here. */
    const struct positions_row **rows = mem_calloc(answer->position_count + 1, sizeof(struct positions_row *));
    for (size_t i = 0; i < answer->position_count; i++)
        rows[i] = &answer->positions[i];
    qsort(rows, answer->position_count, sizeof(const struct positions_row *), compare_by_model);

    struct json_writer w = json_writer_on(out);
    json_begin_object(&w);
    json_key(&w, SLICE("accountTotals"));
    json_begin_array(&w);
    bool ok = true;
    for (size_t i = 0; ok && i < answer->position_model_count; i++) {
        const struct position_feed_models_row *model = &answer->position_models[i];
        size_t from = first_of(rows, answer->position_count, model->model_id);
        size_t to = from;
        while (to < answer->position_count && slice_equal(rows[to]->model_id, model->model_id))
            to++;
        json_raw(&w, SLICE(""));
        ok = position_model_put(out, model, rows + from, to - from, err);
    }
    json_end_array(&w);
    free(rows);
    return document_end(out, start, ok && document_put_members(&w, answer->document, err));
}
