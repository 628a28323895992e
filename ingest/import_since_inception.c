#include "ingest/import_parts.h"

static bool element(struct import_pass *pass, const cJSON *object, const char *key, const char *path, struct err *err)
{
    (void)key;
    struct since_inception_values_row row = {0};
    bool good = wire_read_object(&pass->reader, &wire_inception, object, path, &row);
    if (row.id.p && !wire_check_key(&pass->reader, row.id, path, "id"))
        good = false;
    if (row.model_id.p && !wire_check_key(&pass->reader, row.model_id, path, "model_id"))
        good = false;
    int64_t ms;
    if (row.inception_date_s.set && instant_cut_seconds(row.inception_date_s.v, &ms))
        row.inception_ts_ms = col_i64(ms);
    if (!row.id.p || import_once(pass, pass->ids, row.id, wire_path_key(pass->arena, path, "id")) != IMPORT_NEW ||
        !good)
        return true;
    if (pass->walk == 0) {
        names_add(&pass->models, row.model_id);
        return true;
    }
    row.feed_ordinal = col_i64(feed_order_next(&pass->order, row.model_id));
    return bulk_add(pass->bulk, &row, err);
}

const struct import_kind import_since_inception = {
    .name = "since-inception-values",
    .list_key = "sinceInceptionValues",
    .load_walks = 1,
    .element = element,
    .table = &table_since_inception_values,
};
