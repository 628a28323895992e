#include "repo/many.h"

#include "base/mem.h"
#include "repo/decode.h"
#include "repo/encode.h"

#include <stdlib.h>

struct many {
    const struct table *table;
    char *upsert_name;
    char *upsert;
    char *load_name;
    char *load;
};

static char *text_of(struct buf *text)
{
    buf_cstr(text);
    return buf_take(text, NULL);
}

static void put_array_types(struct buf *out, const struct table *table, bool keys_only)
{
    unsigned number = 0;
    for (size_t i = 0; i < table->column_count; i++) {
        const struct column *column = &table->columns[i];
        if (keys_only ? column->role == COL_KEY : column_is_written(column)) {
            buf_printf(out, "%s$%u::%s[]", number ? ", " : "", number + 1, col_kind_sql(column->kind));
            number++;
        }
    }
}

static char *upsert_sql(const struct table *table)
{
    struct buf sql = BUF_INIT;
    buf_printf(&sql, "INSERT INTO %s (", table->name);
    table_put_written_columns(&sql, table);
    buf_append_str(&sql, ") SELECT * FROM unnest(");
    put_array_types(&sql, table, false);
    buf_append_char(&sql, ')');
    table_put_on_conflict(&sql, table);
    return text_of(&sql);
}

/* OFFSET 0 keeps the planner at one look into the index for each key, whatever it thinks of an array's length. */
static char *load_sql(const struct table *table)
{
    struct buf sql = BUF_INIT;
    struct buf names = BUF_INIT;
    struct buf match = BUF_INIT;
    unsigned number = 0;
    for (size_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].role != COL_KEY)
            continue;
        buf_printf(&names, "%sk%u", number ? ", " : "", number);
        buf_printf(&match, "%st.%s = k.k%u", number ? " AND " : "", table->columns[i].name, number);
        number++;
    }
    buf_append_str(&sql, "SELECT ");
    table_put_columns(&sql, table, "r.");
    buf_append_str(&sql, " FROM unnest(");
    put_array_types(&sql, table, true);
    buf_printf(&sql, ") AS k(%s) CROSS JOIN LATERAL (SELECT * FROM %s AS t WHERE %s OFFSET 0) AS r", buf_cstr(&names),
               table->name, buf_cstr(&match));
    buf_free(&names);
    buf_free(&match);
    return text_of(&sql);
}

static char *name_of(const char *what, const struct table *table)
{
    struct buf name = BUF_INIT;
    buf_printf(&name, "%s_%s", what, table->name);
    return text_of(&name);
}

struct many *many_new(const struct table *table)
{
    struct many *many = mem_zalloc(sizeof *many);
    many->table = table;
    many->upsert_name = name_of("upsert", table);
    many->upsert = upsert_sql(table);
    many->load_name = name_of("load", table);
    many->load = load_sql(table);
    return many;
}

void many_free(struct many *many)
{
    if (!many)
        return;
    free(many->upsert_name);
    free(many->upsert);
    free(many->load_name);
    free(many->load);
    free(many);
}

bool many_add_upsert(struct pipeline *pipeline, const struct many *many, const void *const *rows, size_t count,
                     struct arena *arena, struct err *err)
{
    struct params params = params_on(arena);
    if (!table_put_arrays(&params, many->table, rows, count, err))
        return false;
    pipeline_add(pipeline, many->upsert_name, many->upsert, &params);
    return true;
}

void many_add_load(struct pipeline *pipeline, const struct many *many, const struct params *keys)
{
    pipeline_add(pipeline, many->load_name, many->load, keys);
}

void **many_decode(const struct table *table, const PGresult *result, size_t *count, struct arena *arena,
                   struct err *err)
{
    *count = (size_t)PQntuples(result);
    void **rows = arena_alloc(arena, (*count + 1) * sizeof(void *));
    for (size_t i = 0; i < *count; i++) {
        rows[i] = arena_alloc(arena, table->row_size);
        if (!table_decode(table, result, (int)i, 0, rows[i], arena, err))
            return NULL;
    }
    return rows;
}
