#include "ingest/leaderboard_text.h"

#include "assembler/assembler.h"
#include "base/mem.h"
#include "ingest/row_stream.h"
#include "repo/read_sql.h"

#include <stdlib.h>

struct leaders {
    struct arena *arena;
    struct leaderboard_entries_row *rows;
    size_t count;
    size_t room;
    const struct feed_documents_row *document;
};

static bool on_leader(void *arg, const void *row, struct err *err)
{
    (void)err;
    struct leaders *leaders = arg;
    if (leaders->count == leaders->room) {
        leaders->room = leaders->room ? leaders->room * 2 : 16;
        leaders->rows = mem_realloc(leaders->rows, leaders->room * sizeof *leaders->rows);
    }
    leaders->rows[leaders->count++] =
        *(const struct leaderboard_entries_row *)row_copy(&table_leaderboard_entries, row, leaders->arena);
    return true;
}

static bool on_document(void *arg, const void *row, struct err *err)
{
    (void)err;
    struct leaders *leaders = arg;
    leaders->document = row_copy(&table_feed_documents, row, leaders->arena);
    return true;
}

static bool read_leaders(struct session *session, struct leaders *leaders, struct err *err)
{
    struct read_sql_set *set = read_sql_set_new();
    const struct read_sql *document = read_sql_get(set, SQL_DOCUMENT);
    const struct read_sql *stored = read_sql_get(set, SQL_LEADERS);
    const struct read_sql *computed = read_sql_get(set, SQL_LEADERS_COMPUTED);
    struct params params = params_on(leaders->arena);
    params_add_text(&params, SLICE("leaderboard"));
    /* Nothing is computed where there are stored rows. */
    bool good =
        session_each_row(session, document->statement.sql, &params, document->table, on_document, leaders, err) &&
        session_each_row(session, stored->statement.sql, NULL, stored->table, on_leader, leaders, err) &&
        session_each_row(session, computed->statement.sql, NULL, computed->table, on_leader, leaders, err);
    read_sql_set_free(set);
    return good;
}

bool leaderboard_text(struct session *session, struct buf *out, struct name_set *models, struct err *err)
{
    struct leaders leaders = {.arena = arena_new(0)};
    const struct read_query query = {.kind = READ_LEADERBOARD, .limit = READ_NO_LIMIT};
    bool good = read_leaders(session, &leaders, err);
    if (good) {
        const struct repo_answer answer = {.kind = READ_LEADERBOARD,
                                           .document = leaders.document,
                                           .leaders = leaders.rows,
                                           .leader_count = leaders.count};
        good = assemble_leaderboard(&query, &answer, out, err);
        buf_append_char(out, '}');
    }
    for (size_t i = 0; good && models && i < leaders.count; i++)
        name_set_add(models, leaders.rows[i].id);
    free(leaders.rows);
    arena_free(leaders.arena);
    return good;
}
