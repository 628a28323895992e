#include "flags/store.h"

#include "base/utf8.h"
#include "repo/cells.h"
#include "repo/pipeline.h"

#include <inttypes.h>

enum { ACTOR_MAX = 200, REASON_MAX = 1000 };

static const char *const origins[] = {
    [FLAG_BY_OPERATOR] = "operator", [FLAG_BY_PLAN] = "plan", [FLAG_BY_SYSTEM] = "system"};

bool flag_store_load(struct session *session, struct flag_store_rows *rows, unsigned *unknown, struct err *err)
{
    unsigned strange = 0;
    *rows = (struct flag_store_rows){.version = 0};
    PGresult *result = session_query(session, "SELECT name, value, version FROM feature_flags", NULL, err);
    if (!result)
        return false;
    for (int i = 0; i < PQntuples(result); i++) {
        struct slice text = cell_text(result, i, 1);
        struct flag_stored stored = {.set = text.p != NULL, .version = cell_i64(result, i, 2).v};
        enum flag flag = flag_find(cell_text(result, i, 0));
        /* Also of a flag that is left out: whoever has this version has seen all changes up to it. */
        if (stored.version > rows->version)
            rows->version = stored.version;
        if (flag == FLAG_COUNT || (stored.set && !flag_value_parse(flag, text, &stored.value, NULL)))
            strange++;
        else
            rows->flags[flag] = stored;
    }
    PQclear(result);
    if (unknown)
        *unknown = strange;
    return true;
}

/* Texts that anybody may print. */
static bool is_plain(struct slice text, size_t most)
{
    if (text.n < 1 || text.n > most)
        return false;
    for (const char *p = text.p, *end = text.p + text.n; p < end;) {
        size_t n = utf8_length(p, end);
        bool is_control = n == 1 && ((unsigned char)*p < ' ' || *p == 0x7f);
        bool is_upper_control = n == 2 && (unsigned char)p[0] == 0xc2 && (unsigned char)p[1] < 0xa0;
        if (n == 0 || is_control || is_upper_control)
            return false;
        p += n;
    }
    return true;
}

/* Under the lock that is taken just before it, in the same transaction: looks at the flag as it is now, and changes it
 * if that is due. One message to the server has both, so that nobody who is stopped in the middle keeps the lock. */
static const char change_sql[] =
    "WITH present AS (SELECT (SELECT value FROM feature_flags WHERE name = $1) AS value,"
    "  coalesce((SELECT version FROM feature_flags WHERE name = $1), 0) AS version),"
    " due AS (SELECT value, version, $7::bigint >= 0 AND version <> $7 AS other,"
    "  value IS DISTINCT FROM $2::text AS changes FROM present),"
    " logged AS (INSERT INTO feature_flag_changes (name, from_value, to_value, origin, actor, reason, forced)"
    "  SELECT $1, value, $2, $3, $4, $5, $6 FROM due WHERE changes AND NOT other RETURNING id),"
    " stored AS (INSERT INTO feature_flags AS f (name, value, version) SELECT $1, $2, id FROM logged"
    "  ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value, version = EXCLUDED.version, updated_at = now())"
    " SELECT CASE WHEN other THEN 1 ELSE 0 END::bigint, version, (SELECT id FROM logged),"
    "  (SELECT pg_notify('" FLAG_CHANNEL "', id::text) FROM logged) FROM due";

static bool read_outcome(const struct flag_change *change, const PGresult *result, int64_t *version, struct err *err)
{
    if (PQntuples(result) != 1)
        return err_set(err, ERR_INTERNAL, "the change of a flag gave no row");
    int64_t present = cell_i64(result, 0, 1).v;
    struct col_i64 changed = cell_i64(result, 0, 2);
    if (cell_i64(result, 0, 0).v)
        return err_set(err, ERR_CONFLICT, "%s was changed meanwhile: its version is %" PRId64 ", not %" PRId64,
                       flag_name(change->flag), present, change->expected);
    *version = changed.set ? changed.v : present;
    return true;
}

bool flag_store_change(struct session *session, const struct flag_change *change, int64_t *version, struct err *err)
{
    if (!is_plain(change->actor, ACTOR_MAX))
        return err_set(err, ERR_INVALID,
                       "who changes a flag must be said in 1 to %d bytes of UTF-8 without control "
                       "characters",
                       ACTOR_MAX);
    if (!is_plain(change->reason, REASON_MAX))
        return err_set(err, ERR_INVALID, "the reason must be 1 to %d bytes of UTF-8 without control characters",
                       REASON_MAX);
    struct arena *arena = arena_new(0);
    struct buf text = BUF_INIT;
    struct pipeline pipeline;
    PGresult *results[PIPELINE_MAX];
    struct params params = params_on(arena);
    if (change->set)
        flag_value_put(&text, change->flag, change->value);
    params_add_text(&params, slice_of(flag_name(change->flag)));
    params_add_text(&params, buf_slice(&text)); /* p is NULL when it is unset */
    params_add_text(&params, slice_of(origins[change->origin]));
    params_add_text(&params, change->actor);
    params_add_text(&params, change->reason);
    params_add_bool(&params, change->forced);
    params_add_i64(&params, change->expected);
    pipeline_begin(&pipeline, session);
    /* The same number in every program: "nof0 flags". */
    pipeline_add(&pipeline, NULL, "SELECT pg_advisory_xact_lock(hashtext('nof0 flags'))", NULL);
    pipeline_add(&pipeline, NULL, change_sql, &params);
    bool good = pipeline_run(&pipeline, results, err);
    if (good) {
        good = read_outcome(change, results[1], version, err);
        PQclear(results[0]);
        PQclear(results[1]);
    }
    buf_free(&text);
    arena_free(arena);
    return good;
}

#define LOGGED_COLUMNS                                                                                                 \
    "id, name, from_value, to_value, origin, actor, reason, forced,"                                                   \
    " floor(extract(epoch FROM created_at) * 1000000)::bigint"

static bool read_logged(struct session *session, const char *sql, const struct params *params,
                        flag_logged_fn *on_logged, void *arg, struct err *err)
{
    PGresult *result = session_query(session, sql, params, err);
    if (!result)
        return false;
    for (int i = 0; i < PQntuples(result); i++) {
        struct flag_logged logged = {.id = cell_i64(result, i, 0).v,
                                     .flag = flag_find(cell_text(result, i, 1)),
                                     .from = cell_text(result, i, 2),
                                     .to = cell_text(result, i, 3),
                                     .origin = cell_text(result, i, 4),
                                     .actor = cell_text(result, i, 5),
                                     .reason = cell_text(result, i, 6),
                                     .forced = *PQgetvalue(result, i, 7) != 0,
                                     .at_us = cell_i64(result, i, 8).v};
        if (logged.flag != FLAG_COUNT && !on_logged(arg, &logged))
            break;
    }
    PQclear(result);
    return true;
}

bool flag_store_history(struct session *session, enum flag flag, int64_t after, int64_t most, flag_logged_fn *on_logged,
                        void *arg, struct err *err)
{
    struct arena *arena = arena_new(0);
    struct params params = params_on(arena);
    params_add_i64(&params, after);
    params_add_i64(&params, most);
    params_add_text(&params, flag == FLAG_COUNT ? (struct slice){NULL, 0} : slice_of(flag_name(flag)));
    bool good = read_logged(session,
                            "SELECT " LOGGED_COLUMNS " FROM feature_flag_changes"
                            " WHERE id > $1 AND ($3::text IS NULL OR name = $3) ORDER BY id DESC LIMIT $2",
                            &params, on_logged, arg, err);
    arena_free(arena);
    return good;
}

bool flag_store_follow(struct session *session, int64_t after, flag_logged_fn *on_logged, void *arg, int64_t *newest,
                       struct err *err)
{
    struct arena *arena = arena_new(0);
    struct params params = params_on(arena);
    params_add_i64(&params, after);
    /* First, so that the highest id is not above what the rows tell of. */
    PGresult *result = session_query(session, "SELECT coalesce(max(id), 0) FROM feature_flag_changes", NULL, err);
    if (result && newest)
        *newest = cell_i64(result, 0, 0).v;
    bool good =
        result && read_logged(session, "SELECT " LOGGED_COLUMNS " FROM feature_flag_changes WHERE id > $1 ORDER BY id",
                              &params, on_logged, arg, err);
    PQclear(result);
    arena_free(arena);
    return good;
}

bool flag_store_latest(struct session *session, flag_logged_fn *on_logged, void *arg, struct err *err)
{
    return read_logged(session,
                       "SELECT " LOGGED_COLUMNS " FROM feature_flag_changes"
                       " WHERE id IN (SELECT version FROM feature_flags) ORDER BY id DESC",
                       NULL, on_logged, arg, err);
}
