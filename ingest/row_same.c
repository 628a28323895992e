#include "ingest/row_same.h"

#include "base/num.h"
#include "ingest/canonical.h"

static bool same_text(struct slice a, struct slice b, bool is_json)
{
    if (!a.p || !b.p)
        return !a.p && !b.p;
    return is_json ? json_same_text(a, b) : slice_equal(a, b);
}

static bool same_value(enum col_kind kind, const void *a, const void *b)
{
    switch (kind) {
    case COL_TEXT:
    case COL_UUID:
    case COL_JSON:
    case COL_JSONB:
        return same_text(*(const struct slice *)a, *(const struct slice *)b, kind == COL_JSON || kind == COL_JSONB);
    case COL_F64: {
        const struct col_f64 *x = a;
        const struct col_f64 *y = b;
        return x->set == y->set && (!x->set || num_same_double(x->v, y->v));
    }
    case COL_I64:
    case COL_I32:
    case COL_TSTZ: {
        const struct col_i64 *x = a;
        const struct col_i64 *y = b;
        return x->set == y->set && (!x->set || x->v == y->v);
    }
    case COL_BOOL: {
        const struct col_bool *x = a;
        const struct col_bool *y = b;
        return x->set == y->set && (!x->set || x->v == y->v);
    }
    }
    return false;
}

static bool is_listed(const char *const *list, const char *name)
{
    while (list && *list)
        if (strcmp(*list++, name) == 0)
            return true;
    return false;
}

bool row_same(const struct table *table, const void *a, const void *b, const char *const *except, const char **differs)
{
    for (size_t i = 0; i < table->column_count; i++) {
        const struct column *column = &table->columns[i];
        if (!column_is_written(column) || is_listed(except, column->name))
            continue;
        if (!same_value(column->kind, (const char *)a + column->offset, (const char *)b + column->offset)) {
            if (differs)
                *differs = column->name;
            return false;
        }
    }
    return true;
}
