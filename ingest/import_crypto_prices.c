#include "ingest/import_parts.h"
#include "ingest/wire_symbol.h"

struct prices_state {
    struct bulk *bulk;
};

static bool element(struct import_pass *pass, const cJSON *object, const char *key, const char *path, struct err *err)
{
    struct prices_state *state = pass->state;
    struct price_latest_row row = {0};
    struct wire_remark remark = {NULL, NULL};
    bool good = wire_read_members(&pass->reader, &wire_price, object, path, NULL, &row, &remark);
    if (good)
        row.symbol = wire_symbol_from_key(object, row.symbol, key, &remark);
    row.wire_detail = wire_remark_take(&remark, pass->arena);
    if (!good || !wire_check_key(&pass->reader, row.symbol, path, "symbol"))
        return true;
    if (pass->walk == 0) {
        names_add(&pass->symbols, row.symbol);
        return true;
    }
    row.provider = slice_of(pass->import->options->prices_provider);
    row.feed_ordinal = col_i64(feed_order_next(&pass->order, SLICE("")));
    return bulk_add(state->bulk, &row, err);
}

static bool begin(struct import_pass *pass, struct err *err)
{
    struct prices_state *state = pass->state;
    state->bulk = bulk_begin(pass->import->session, &table_price_latest, err);
    return state->bulk != NULL;
}

/* Symbols that the file no longer has leave the feed; other providers' prices are none of its business. */
static bool leave_feed(struct import_pass *pass, const char *staging, struct err *err)
{
    struct arena *arena = arena_new(0);
    struct buf sql = BUF_INIT;
    struct params params = params_on(arena);
    params_add_text(&params, slice_of(pass->import->options->prices_provider));
    buf_printf(&sql,
               "UPDATE price_latest p SET feed_ordinal = NULL, updated_at = now() WHERE p.provider = $1 AND "
               "p.feed_ordinal IS NOT NULL AND NOT EXISTS "
               "(SELECT 1 FROM %s s WHERE s.symbol = p.symbol)",
               staging);
    bool ok = session_run(pass->import->session, buf_cstr(&sql), &params, &pass->removed, err);
    buf_free(&sql);
    arena_free(arena);
    return ok;
}

static bool end(struct import_pass *pass, struct err *err)
{
    struct prices_state *state = pass->state;
    struct bulk_counts counts;
    if (!bulk_merge(state->bulk, BULK_KEEP_FEED, &counts, err) || !leave_feed(pass, bulk_staging(state->bulk), err))
        return false;
    import_count(pass, &counts);
    return true;
}

static void release(struct import_pass *pass)
{
    struct prices_state *state = pass->state;
    bulk_free(state->bulk);
    state->bulk = NULL;
}

const struct import_kind import_crypto_prices = {
    .name = "crypto-prices",
    .list_key = "prices",
    .is_map = true,
    .load_walks = 1,
    .state_size = sizeof(struct prices_state),
    .element = element,
    .begin = begin,
    .end = end,
    .release = release,
};
