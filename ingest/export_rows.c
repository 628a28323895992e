#include "ingest/export_parts.h"

static const char in_feed_order[] = "WHERE t.feed_ordinal IS NOT NULL ORDER BY t.feed_ordinal";

void export_begin_row(struct export_file *file)
{
    json_raw(&file->json, SLICE(""));
    file->rows++;
}

bool export_end_row(struct export_file *file, struct err *err)
{
    enum { ENOUGH = 1 << 16 };
    if (file->pending.len < ENOUGH)
        return true;
    bool ok = legacy_writer_write(file->writer, buf_slice(&file->pending), err);
    buf_clear(&file->pending);
    return ok;
}

/* Called for each row of a list; appends what it looks like to file->pending. */
typedef bool put_row_fn(struct export_file *file, const void *row, struct err *err);

/* "key":[rows], streamed. */
static bool put_list(struct export_file *file, const char *key, const struct table *table, const char *rest,
                     put_row_fn *put_row, struct err *err)
{
    struct row_stream *stream = row_stream_open(file->session, "export_rows", table, rest, NULL, err);
    if (!stream)
        return false;
    json_key(&file->json, slice_of(key));
    json_begin_array(&file->json);
    const void *row = NULL;
    bool ok;
    while ((ok = row_stream_next(stream, &row, err)) && row) {
        export_begin_row(file);
        ok = put_row(file, row, err) && export_end_row(file, err);
        if (!ok)
            break;
    }
    json_end_array(&file->json);
    row_stream_close(stream);
    return ok && session_exec(file->session, "CLOSE export_rows", err);
}

static bool put_trade(struct export_file *file, const void *row, struct err *err)
{
    return wire_put_object(&file->pending, &wire_trade, row, err);
}

static bool put_inception(struct export_file *file, const void *row, struct err *err)
{
    return wire_put_object(&file->pending, &wire_inception, row, err);
}

static bool put_leader(struct export_file *file, const void *row, struct err *err)
{
    return wire_put_object(&file->pending, &wire_leader, row, err);
}

static bool put_analytics(struct export_file *file, const void *row, struct err *err)
{
    (void)err;
    const struct model_analytics_row *analytics = row;
    buf_append_slice(&file->pending, analytics->bulk_payload.p ? analytics->bulk_payload : analytics->payload);
    return true;
}

bool export_rows_trades(struct export_file *file, struct err *err)
{
    return put_list(file, "trades", &table_trades, in_feed_order, put_trade, err);
}

bool export_rows_since_inception(struct export_file *file, struct err *err)
{
    return put_list(file, "sinceInceptionValues", &table_since_inception_values, in_feed_order, put_inception, err);
}

bool export_rows_leaderboard(struct export_file *file, struct err *err)
{
    return put_list(file, "leaderboard", &table_leaderboard_entries, in_feed_order, put_leader, err);
}

bool export_rows_analytics(struct export_file *file, struct err *err)
{
    return put_list(file, "analytics", &table_model_analytics, in_feed_order, put_analytics, err);
}

bool export_rows_analytics_own(struct export_file *file, struct err *err)
{
    struct slice model = file->document->name;
    model.p += strlen("analytics-");
    model.n -= strlen("analytics-");
    bool in_array = slice_is(file->document->shape, "array");
    struct params params = params_on(file->arena);
    params_add_text(&params, model);
    struct row_stream *stream =
        row_stream_open(file->session, "export_rows", &table_model_analytics, "WHERE t.model_id = $1", &params, err);
    const void *row = NULL;
    bool ok = stream && row_stream_next(stream, &row, err);
    if (ok && !row) {
        ok = err_set(err, ERR_INTERNAL, "the database has no analytics of \"%.*s\"", SLICE_ARG(model));
    } else if (ok) {
        json_key(&file->json, SLICE("analytics"));
        if (in_array)
            json_begin_array(&file->json);
        export_begin_row(file);
        buf_append_slice(&file->pending, ((const struct model_analytics_row *)row)->payload);
        if (in_array)
            json_end_array(&file->json);
    }
    row_stream_close(stream);
    return ok && session_exec(file->session, "CLOSE export_rows", err);
}

bool export_rows_crypto_prices(struct export_file *file, struct err *err)
{
    struct params params = params_on(file->arena);
    params_add_text(&params, slice_of(file->prices_provider));
    struct row_stream *stream =
        row_stream_open(file->session, "export_rows", &table_price_latest,
                        "WHERE t.provider = $1 AND t.feed_ordinal IS NOT NULL ORDER BY t.feed_ordinal", &params, err);
    if (!stream)
        return false;
    json_key(&file->json, SLICE("prices"));
    json_begin_object(&file->json);
    const void *row = NULL;
    bool ok;
    while ((ok = row_stream_next(stream, &row, err)) && row) {
        json_key(&file->json, ((const struct price_latest_row *)row)->symbol);
        export_begin_row(file);
        ok = wire_put_object(&file->pending, &wire_price, row, err) && export_end_row(file, err);
        if (!ok)
            break;
    }
    json_end_object(&file->json);
    row_stream_close(stream);
    return ok && session_exec(file->session, "CLOSE export_rows", err);
}

bool export_rows_account_totals(struct export_file *file, struct err *err)
{
    struct row_stream *stream =
        row_stream_open(file->session, "export_rows", &table_account_equity_snapshots, in_feed_order, NULL, err);
    if (!stream)
        return false;
    json_key(&file->json, SLICE("accountTotals"));
    json_begin_array(&file->json);
    struct col_i64 highest = {0, false};
    const void *row = NULL;
    bool ok;
    while ((ok = row_stream_next(stream, &row, err)) && row) {
        struct col_i64 marker = ((const struct account_equity_snapshots_row *)row)->since_inception_hourly_marker;
        if (marker.set && (!highest.set || marker.v > highest.v))
            highest = marker;
        export_begin_row(file);
        ok = wire_put_object(&file->pending, &wire_account_total, row, err) && export_end_row(file, err);
        if (!ok)
            break;
    }
    json_end_array(&file->json);
    row_stream_close(stream);
    if (ok && !wire_detail_decides(&file->detail, "lastHourlyMarkerRead")) {
        json_key(&file->json, SLICE("lastHourlyMarkerRead"));
        json_i64(&file->json, highest.v);
    }
    return ok && session_exec(file->session, "CLOSE export_rows", err);
}
