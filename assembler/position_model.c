#include "assembler/position_model.h"

#include "assembler/wire.h"

static bool put_positions(struct json_writer *w, const struct positions_row *const *positions, size_t count,
                          struct err *err)
{
    json_key(w, SLICE("positions"));
    json_begin_object(w);
    for (size_t i = 0; i < count; i++) {
        json_key(w, positions[i]->symbol);
        json_raw(w, SLICE(""));
        if (!wire_put_object(w->out, &wire_position, positions[i], err))
            return false;
    }
    json_end_object(w);
    return true;
}

bool position_model_put(struct buf *out, const struct position_feed_models_row *model,
                        const struct positions_row *const *positions, size_t count, struct err *err)
{
    struct wire_detail detail;
    if (!wire_detail_open(&detail, model->wire_detail, err))
        return err_wrap(err, "stored positions of \"%.*s\"", SLICE_ARG(model->model_id));

    struct json_writer w = json_writer_on(out);
    json_begin_object(&w);
    bool ok = wire_put_members(&w, &wire_position_model, model, &detail, err) &&
              (wire_detail_decides(&detail, "positions") || put_positions(&w, positions, count, err));
    json_end_object(&w);
    wire_detail_close(&detail);
    return ok;
}
