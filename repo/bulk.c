#include "repo/bulk.h"

#include "base/mem.h"
#include "repo/encode.h"
#include "repo/pg_error.h"

#include <stdlib.h>

enum { CHUNK = 1 << 20 };

struct bulk {
    struct session *session;
    const struct table *table;
    struct buf staging; /* its name, NUL-terminated */
    struct buf copy;    /* the COPY statement, NUL-terminated */
    struct buf chunk;   /* COPY data that was not sent; empty: not even its header */
    int64_t sent;       /* rows in the staging table */
};

static bool has_column(const struct table *table, const char *name)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (strcmp(table->columns[i].name, name) == 0)
            return true;
    return false;
}

struct bulk *bulk_begin(struct session *session, const struct table *table, struct err *err)
{
    struct bulk *bulk = mem_zalloc(sizeof *bulk);
    struct buf columns = BUF_INIT;
    struct buf sql = BUF_INIT;
    bulk->session = session;
    bulk->table = table;
    buf_printf(&bulk->staging, "nof0_stage_%s", table->name);
    const char *staging = buf_cstr(&bulk->staging);
    table_put_written_columns(&columns, table);
    buf_printf(&bulk->copy, "COPY pg_temp.%s (%s) FROM STDIN (FORMAT binary)", staging, buf_cstr(&columns));
    buf_cstr(&bulk->copy);
    buf_printf(&sql, "CREATE TEMPORARY TABLE %s ON COMMIT DROP AS SELECT %s FROM %s WITH NO DATA", staging,
               columns.data, table->name);
    if (!session_exec(session, buf_cstr(&sql), err)) {
        err_wrap(err, "loading %s", table->name);
        bulk_free(bulk);
        bulk = NULL;
    }
    buf_free(&columns);
    buf_free(&sql);
    return bulk;
}

const char *bulk_staging(const struct bulk *bulk)
{
    return bulk->staging.data;
}

/* Reads the answers to a COPY; the first failure is the one that counts. */
static bool end_copy(PGconn *connection, int64_t *rows, struct err *err)
{
    bool good = true;
    PGresult *result;
    while ((result = PQgetResult(connection)) != NULL) {
        if (PQresultStatus(result) == PGRES_COMMAND_OK)
            *rows += strtoll(PQcmdTuples(result), NULL, 10);
        else if (good)
            good = pg_error_from_result(err, result, connection);
        PQclear(result);
        if (PQstatus(connection) != CONNECTION_OK)
            break;
    }
    return good;
}

static bool send_chunk(struct bulk *bulk, struct err *err)
{
    PGconn *connection = session_connection(bulk->session);
    PGresult *result = PQexec(connection, bulk->copy.data);
    bool ready = PQresultStatus(result) == PGRES_COPY_IN;
    if (!ready)
        pg_error_from_result(err, result, connection);
    PQclear(result);
    if (!ready)
        return false;
    table_put_copy_trailer(&bulk->chunk);
    bool sent = true;
    for (size_t at = 0; sent && at < bulk->chunk.len;) {
        size_t n = bulk->chunk.len - at < CHUNK ? bulk->chunk.len - at : CHUNK;
        sent = PQputCopyData(connection, bulk->chunk.data + at, (int)n) == 1;
        at += n;
    }
    sent = sent && PQputCopyEnd(connection, NULL) == 1;
    if (!sent)
        return pg_error_from_connection(err, connection);
    return end_copy(connection, &bulk->sent, err);
}

bool bulk_flush(struct bulk *bulk, struct err *err)
{
    if (bulk->chunk.len == 0)
        return true;
    bool good = send_chunk(bulk, err);
    buf_clear(&bulk->chunk);
    return good || err_wrap(err, "loading %s", bulk->table->name);
}

bool bulk_add(struct bulk *bulk, const void *row, struct err *err)
{
    if (bulk->chunk.len == 0)
        table_put_copy_header(&bulk->chunk);
    return table_put_copy_row(&bulk->chunk, bulk->table, row, err) &&
           (bulk->chunk.len < CHUNK || bulk_flush(bulk, err));
}

/* "t.key1 = s.key1 AND ..." */
static void put_key_match(struct buf *out, const struct table *table)
{
    bool first = true;
    for (size_t i = 0; i < table->column_count; i++) {
        const struct column *column = &table->columns[i];
        if (column->role != COL_KEY)
            continue;
        buf_printf(out, "%st.%s = s.%s", first ? "" : " AND ", column->name, column->name);
        first = false;
    }
}

static bool has_key(const struct table *table)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (table->columns[i].role == COL_KEY)
            return true;
    return false;
}

/* Without this an upsert would say it in less helpful words, and only for keys that the table has not yet. */
static bool check_keys(struct bulk *bulk, struct err *err)
{
    struct buf keys = BUF_INIT;
    struct buf sql = BUF_INIT;
    table_put_role_columns(&keys, bulk->table, COL_KEY, "");
    buf_printf(
        &sql,
        "SELECT format('(%%s)', concat_ws(', ', %s)) FROM %s WHERE num_nulls(%s) = 0 GROUP BY %s HAVING count(*) > 1 "
        "LIMIT 1",
        buf_cstr(&keys), bulk_staging(bulk), keys.data, keys.data);
    PGresult *result = session_query(bulk->session, buf_cstr(&sql), NULL, err);
    bool good = result != NULL;
    if (good && PQntuples(result) > 0)
        good = err_set(err, ERR_CONFLICT, "key (%s) = %s comes twice", keys.data, PQgetvalue(result, 0, 0));
    PQclear(result);
    buf_free(&keys);
    buf_free(&sql);
    return good;
}

static bool update_changed(struct bulk *bulk, int64_t *updated, struct err *err)
{
    struct buf sql = BUF_INIT;
    buf_printf(&sql, "UPDATE %s AS t SET ", bulk->table->name);
    table_put_set(&sql, bulk->table, "s.");
    buf_printf(&sql, " FROM %s AS s WHERE ", bulk_staging(bulk));
    put_key_match(&sql, bulk->table);
    buf_append_str(&sql, " AND ");
    table_put_differs(&sql, bulk->table, "t.", "s.");
    bool good = session_run(bulk->session, buf_cstr(&sql), NULL, updated, err);
    buf_free(&sql);
    return good;
}

/* ON CONFLICT is for rows that somebody else inserted in the meantime. Rows that are known to be there are left out
 * before it, because a conflict costs a row lock and a number of the sequence even when nothing changes. */
static bool insert_new(struct bulk *bulk, struct bulk_counts *counts, struct err *err)
{
    struct buf columns = BUF_INIT;
    struct buf sql = BUF_INIT;
    const struct table *table = bulk->table;
    table_put_written_columns(&columns, table);
    buf_printf(&sql, "WITH merged AS (INSERT INTO %s (%s) SELECT %s FROM %s AS s", table->name, buf_cstr(&columns),
               columns.data, bulk_staging(bulk));
    if (has_key(table)) {
        buf_printf(&sql, " WHERE NOT EXISTS (SELECT 1 FROM %s AS t WHERE ", table->name);
        put_key_match(&sql, table);
        buf_append_char(&sql, ')');
    }
    /* In the order in which they came: neighbours in a feed become neighbours on disk, and serial ids count up. */
    buf_append_str(&sql, " ORDER BY s.ctid");
    table_put_on_conflict(&sql, table);
    buf_append_str(&sql, " RETURNING xmax = 0 AS fresh) SELECT count(*) FILTER (WHERE fresh)::text,"
                         " count(*) FILTER (WHERE NOT fresh)::text FROM merged");
    PGresult *result = session_query(bulk->session, buf_cstr(&sql), NULL, err);
    bool good = result != NULL;
    if (good) {
        counts->inserted = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
        counts->updated += strtoll(PQgetvalue(result, 0, 1), NULL, 10);
    }
    PQclear(result);
    buf_free(&columns);
    buf_free(&sql);
    return good;
}

static bool leave_feed(struct bulk *bulk, int64_t *left, struct err *err)
{
    struct buf sql = BUF_INIT;
    buf_printf(&sql,
               "UPDATE %s AS t SET feed_ordinal = NULL, updated_at = now() WHERE feed_ordinal IS NOT NULL AND NOT "
               "EXISTS (SELECT 1 FROM %s AS s WHERE ",
               bulk->table->name, bulk_staging(bulk));
    put_key_match(&sql, bulk->table);
    buf_append_char(&sql, ')');
    bool good = session_run(bulk->session, buf_cstr(&sql), NULL, left, err);
    buf_free(&sql);
    return good;
}

static bool merge(struct bulk *bulk, enum bulk_merge_kind kind, struct bulk_counts *counts, struct err *err)
{
    struct buf sql = BUF_INIT;
    bool keyed = has_key(bulk->table);
    if (kind == BULK_LEAVE_FEED && (!keyed || !has_column(bulk->table, "feed_ordinal")))
        return err_set(err, ERR_INTERNAL, "has no feed to leave");
    /* Nobody gathers statistics of temporary tables by itself, and without them the joins go wrong. */
    buf_printf(&sql, "ANALYZE %s", bulk_staging(bulk));
    bool good = session_exec(bulk->session, buf_cstr(&sql), err) && (!keyed || check_keys(bulk, err)) &&
                (!keyed || update_changed(bulk, &counts->updated, err)) && insert_new(bulk, counts, err) &&
                (kind != BULK_LEAVE_FEED || leave_feed(bulk, &counts->left, err));
    buf_free(&sql);
    return good;
}

bool bulk_merge(struct bulk *bulk, enum bulk_merge_kind kind, struct bulk_counts *counts, struct err *err)
{
    *counts = (struct bulk_counts){0};
    if (!bulk_flush(bulk, err))
        return false;
    if (!merge(bulk, kind, counts, err))
        return err_wrap(err, "merging %s", bulk->table->name);
    counts->unchanged = bulk->sent - counts->inserted - counts->updated;
    return true;
}

void bulk_free(struct bulk *bulk)
{
    if (!bulk)
        return;
    if (PQtransactionStatus(session_connection(bulk->session)) == PQTRANS_INTRANS) {
        struct buf sql = BUF_INIT;
        buf_printf(&sql, "DROP TABLE IF EXISTS pg_temp.%s", bulk_staging(bulk));
        struct err ignored = ERR_INIT; /* what is left goes with the transaction */
        if (!session_exec(bulk->session, buf_cstr(&sql), &ignored))
            ignored.code = ERR_NONE;
        buf_free(&sql);
    }
    buf_free(&bulk->staging);
    buf_free(&bulk->copy);
    buf_free(&bulk->chunk);
    free(bulk);
}
