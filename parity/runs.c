#include "parity/runs.h"

#include "base/json_write.h"
#include "repo/cells.h"
#include "repo/encode.h"

static struct col_i64 number(uint64_t n)
{
    return col_i64(n > INT64_MAX ? INT64_MAX : (int64_t)n);
}

/* {"value":3,"order":1}; classes without differences are left out. */
static void put_differences(struct buf *out, const struct parity_counts *counts)
{
    struct json_writer w = json_writer_on(out);
    json_begin_object(&w);
    for (unsigned i = 0; i < PARITY_CLASS_COUNT; i++) {
        if (!counts->differences[i])
            continue;
        json_key(&w, slice_of(parity_class_name((enum parity_class)i)));
        json_i64(&w, number(counts->differences[i]).v);
    }
    json_end_object(&w);
}

bool parity_run_store(struct session *session, const struct parity_run *run, struct err *err)
{
    struct buf sql = BUF_INIT;
    struct buf differences = BUF_INIT;
    struct arena *arena = arena_new(0);
    struct params params = params_on(arena);
    put_differences(&differences, &run->counts);
    const struct parity_runs_row row = {
        .endpoint = slice_of(run->endpoint),
        .origin = slice_of(run->origin),
        .instance = slice_of(run->instance),
        .left_source = slice_of(run->left),
        .right_source = slice_of(run->right),
        .started_at = col_i64(run->started_us),
        .ended_at = col_i64(run->ended_us),
        .comparisons = number(run->comparisons),
        .mismatches = number(run->mismatches),
        .unsettled = number(run->unsettled),
        .failures = number(run->failures),
        .shed = number(run->shed),
        .differences = buf_slice(&differences),
    };
    table_put_upsert(&sql, &table_parity_runs);
    bool good = table_put_params(&params, &table_parity_runs, &row, err) &&
                session_run(session, buf_cstr(&sql), &params, NULL, err);
    arena_free(arena);
    buf_free(&differences);
    buf_free(&sql);
    return good || err_wrap(err, "parity_runs");
}

/* A stretch says only that its mismatches lie somewhere in it, so one that overlaps it may be older and does not count
 * either. What never settled is no evidence of anything. */
static const char green_sql[] =
    "WITH recent AS MATERIALIZED (SELECT started_at, ended_at, comparisons - unsettled AS settled, mismatches"
    " FROM parity_runs WHERE endpoint = $1 AND left_source = 'legacy' AND right_source = 'repo'"
    " AND ended_at >= now() - $2 * interval '1 second'),"
    " bad AS (SELECT max(ended_at) AS at, coalesce(sum(mismatches), 0) AS mismatches FROM recent WHERE mismatches > 0)"
    " SELECT coalesce(sum(r.settled), 0)::bigint, (extract(epoch FROM min(r.started_at)) * 1000000)::bigint,"
    " (extract(epoch FROM max(r.ended_at)) * 1000000)::bigint, bad.mismatches::bigint,"
    " (extract(epoch FROM bad.at) * 1000000)::bigint"
    " FROM bad LEFT JOIN recent AS r ON r.mismatches = 0 AND r.settled > 0 AND (bad.at IS NULL OR r.started_at >= "
    "bad.at)"
    " GROUP BY bad.mismatches, bad.at";

bool parity_green_load(struct session *session, const char *endpoint, int64_t age_s, struct parity_green *green,
                       struct err *err)
{
    struct arena *arena = arena_new(0);
    struct params params = params_on(arena);
    params_add_text(&params, slice_of(endpoint));
    params_add_i64(&params, age_s);
    PGresult *result = session_query(session, green_sql, &params, err);
    bool good = result && (PQntuples(result) == 1 ||
                           err_set(err, ERR_INTERNAL, "the sum of parity_runs has %d rows", PQntuples(result)));
    if (good)
        *green = (struct parity_green){.comparisons = (uint64_t)cell_i64(result, 0, 0).v,
                                       .since_us = cell_i64(result, 0, 1).v,
                                       .last_us = cell_i64(result, 0, 2).v,
                                       .mismatches = (uint64_t)cell_i64(result, 0, 3).v,
                                       .mismatch_us = cell_i64(result, 0, 4).v};
    PQclear(result);
    arena_free(arena);
    return good || err_wrap(err, "parity_runs");
}

static const char tally_sql[] =
    "SELECT coalesce(sum(comparisons - unsettled) FILTER (WHERE inside), 0)::bigint,"
    " coalesce(sum(mismatches) FILTER (WHERE inside OR $4), 0)::bigint,"
    " coalesce(sum(failures) FILTER (WHERE inside), 0)::bigint"
    " FROM (SELECT *, started_at >= 'epoch'::timestamptz + $2 * interval '1 microsecond' AS inside FROM parity_runs"
    "  WHERE endpoint = $1 AND left_source = 'legacy' AND right_source = 'repo'"
    "  AND ended_at >= 'epoch'::timestamptz + $2 * interval '1 microsecond'"
    "  AND ($3 = 0 OR started_at < 'epoch'::timestamptz + $3 * interval '1 microsecond')) AS r";

bool parity_tally_load(struct session *session, const char *endpoint, int64_t since_us, int64_t until_us,
                       bool overlapping, struct parity_tally *tally, struct err *err)
{
    struct arena *arena = arena_new(0);
    struct params params = params_on(arena);
    params_add_text(&params, slice_of(endpoint));
    params_add_i64(&params, since_us);
    params_add_i64(&params, until_us);
    params_add_bool(&params, overlapping);
    PGresult *result = session_query(session, tally_sql, &params, err);
    bool good = result && (PQntuples(result) == 1 ||
                           err_set(err, ERR_INTERNAL, "the sum of parity_runs has %d rows", PQntuples(result)));
    if (good)
        *tally = (struct parity_tally){.comparisons = (uint64_t)cell_i64(result, 0, 0).v,
                                       .mismatches = (uint64_t)cell_i64(result, 0, 1).v,
                                       .failures = (uint64_t)cell_i64(result, 0, 2).v};
    PQclear(result);
    arena_free(arena);
    return good || err_wrap(err, "parity_runs");
}

bool parity_runs_prune(struct session *session, int64_t keep_s, struct err *err)
{
    struct arena *arena = arena_new(0);
    struct params params = params_on(arena);
    params_add_i64(&params, keep_s);
    bool good = session_run(session, "DELETE FROM parity_runs WHERE ended_at < now() - $1 * interval '1 second'",
                            &params, NULL, err);
    arena_free(arena);
    return good || err_wrap(err, "parity_runs");
}
