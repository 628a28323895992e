#include "ingest/row_stream.h"

#include "base/mem.h"
#include "repo/decode.h"

#include <stdlib.h>

enum { BATCH = 128 };

struct row_stream {
    struct session *session;
    const struct table *table;
    struct buf fetch; /* the FETCH statement, NUL-terminated */
    PGresult *batch;
    int next;   /* in the batch */
    bool ended; /* no batch will follow */
    bool held;  /* `row` is decoded and was not taken yet */
    struct arena *arena;
    void *row;
};

struct row_stream *row_stream_open(struct session *session, const char *name, const struct table *table,
                                   const char *rest, const struct params *params, struct err *err)
{
    struct row_stream *stream = mem_zalloc(sizeof *stream);
    stream->session = session;
    stream->table = table;
    stream->arena = arena_new(0);
    stream->row = mem_zalloc(table->row_size);
    buf_printf(&stream->fetch, "FETCH %d FROM %s", BATCH, name);
    buf_cstr(&stream->fetch);

    struct buf sql = BUF_INIT;
    buf_printf(&sql, "DECLARE %s NO SCROLL CURSOR FOR SELECT ", name);
    table_put_columns(&sql, table, "t.");
    buf_printf(&sql, " FROM %s t %s", table->name, rest);
    bool ok = session_run(session, buf_cstr(&sql), params, NULL, err);
    buf_free(&sql);
    if (ok)
        return stream;
    row_stream_close(stream);
    return NULL;
}

void row_stream_close(struct row_stream *stream)
{
    if (!stream)
        return;
    PQclear(stream->batch);
    buf_free(&stream->fetch);
    arena_free(stream->arena);
    free(stream->row);
    free(stream);
}

static bool fetch(struct row_stream *stream, struct err *err)
{
    PQclear(stream->batch);
    stream->next = 0;
    stream->batch = session_query(stream->session, stream->fetch.data, NULL, err);
    if (!stream->batch)
        return false;
    stream->ended = PQntuples(stream->batch) == 0;
    return true;
}

bool row_stream_peek(struct row_stream *stream, const void **row, struct err *err)
{
    *row = NULL;
    if (stream->held) {
        *row = stream->row;
        return true;
    }
    if (!stream->ended && (!stream->batch || stream->next == PQntuples(stream->batch)) && !fetch(stream, err))
        return false;
    if (stream->ended)
        return true;
    arena_reset(stream->arena);
    if (!table_decode(stream->table, stream->batch, stream->next++, 0, stream->row, stream->arena, err))
        return false;
    stream->held = true;
    *row = stream->row;
    return true;
}

bool row_stream_next(struct row_stream *stream, const void **row, struct err *err)
{
    if (!row_stream_peek(stream, row, err))
        return false;
    stream->held = false;
    return true;
}

void *row_copy(const struct table *table, const void *row, struct arena *arena)
{
    char *copy = arena_alloc(arena, table->row_size);
    memcpy(copy, row, table->row_size);
    for (size_t i = 0; i < table->column_count; i++) {
        enum col_kind kind = table->columns[i].kind;
        if (kind != COL_TEXT && kind != COL_JSON && kind != COL_JSONB && kind != COL_UUID)
            continue;
        struct slice *text = (struct slice *)(copy + table->columns[i].offset);
        if (text->p)
            *text = arena_copy(arena, *text);
    }
    return copy;
}
