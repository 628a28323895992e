/* The two files whose rows hold rows: positions by model, messages by conversation. */
#include "assembler/conversation.h"
#include "assembler/position_model.h"
#include "base/mem.h"
#include "ingest/export_parts.h"

#include <stdlib.h>

/* One model's positions, copied out of a stream. */
struct group {
    struct arena *arena;
    const struct positions_row **rows;
    size_t count;
    size_t room;
};

static void group_take(struct group *group, const void *row)
{
    if (group->count == group->room) {
        group->room = group->room ? group->room * 2 : 16;
        group->rows = mem_realloc(group->rows, group->room * sizeof(const struct positions_row *));
    }
    group->rows[group->count++] = row_copy(&table_positions, row, group->arena);
}

/* Fills the group with the positions of the model; the stream is ordered by the models' places. */
static bool take_positions(struct group *group, struct row_stream *positions, struct slice model, struct err *err)
{
    group->count = 0;
    arena_reset(group->arena);
    const void *row;
    for (;;) {
        if (!row_stream_peek(positions, &row, err))
            return false;
        if (!row || !slice_equal(((const struct positions_row *)row)->model_id, model))
            return true;
        group_take(group, row);
        if (!row_stream_next(positions, &row, err))
            return false;
    }
}

bool export_rows_positions(struct export_file *file, struct err *err)
{
    struct group group = {.arena = arena_new(0)};
    struct row_stream *models = row_stream_open(file->session, "export_models", &table_position_feed_models,
                                                "WHERE t.feed_ordinal IS NOT NULL ORDER BY t.feed_ordinal", NULL, err);
    struct row_stream *positions = models ? row_stream_open(file->session, "export_positions", &table_positions,
                                                            "JOIN position_feed_models f ON f.model_id = t.model_id "
                                                            "WHERE f.feed_ordinal IS NOT NULL AND t.status = 'open' "
                                                            "ORDER BY f.feed_ordinal, t.symbol",
                                                            NULL, err)
                                          : NULL;
    bool ok = positions != NULL;
    json_key(&file->json, SLICE("accountTotals"));
    json_begin_array(&file->json);
    while (ok) {
        const void *row;
        ok = row_stream_next(models, &row, err);
        if (!ok || !row)
            break;
        const struct position_feed_models_row *model = row;
        ok = take_positions(&group, positions, model->model_id, err);
        if (!ok)
            break;
        export_begin_row(file);
        ok = position_model_put(&file->pending, model, group.rows, group.count, err) && export_end_row(file, err);
    }
    json_end_array(&file->json);
    row_stream_close(models);
    row_stream_close(positions);
    arena_free(group.arena);
    free(group.rows);
    return ok && session_exec(file->session, "CLOSE export_models; CLOSE export_positions", err);
}

struct conversation_streams {
    struct row_stream *conversations;
    struct row_stream *messages; /* of all of them, in the same order */
    struct row_stream *cycles;
};

static bool open_streams(struct conversation_streams *streams, struct session *session, struct err *err)
{
    static const char in_order[] = "WHERE t.feed_ordinal IS NOT NULL ORDER BY t.feed_ordinal";
    streams->conversations = row_stream_open(session, "export_chats", &table_conversations, in_order, NULL, err);
    if (!streams->conversations)
        return false;
    streams->messages = row_stream_open(session, "export_messages", &table_conversation_messages,
                                        "JOIN conversations c ON c.id = t.conversation_id "
                                        "WHERE c.feed_ordinal IS NOT NULL ORDER BY c.feed_ordinal, t.seq",
                                        NULL, err);
    if (!streams->messages)
        return false;
    streams->cycles = row_stream_open(session, "export_cycles", &table_decision_cycles, in_order, NULL, err);
    return streams->cycles != NULL;
}

static bool put_conversation(struct export_file *file, struct conversation_streams *streams, struct arena *arena,
                             const struct conversations_row *conversation, struct err *err)
{
    struct conversation_messages_row *messages = NULL;
    size_t count = 0;
    size_t room = 0;
    bool ok;
    const void *row;
    arena_reset(arena);
    while ((ok = row_stream_peek(streams->messages, &row, err)) && row &&
           ((const struct conversation_messages_row *)row)->conversation_id.v == conversation->id.v) {
        if (count == room) {
            room = room ? room * 2 : 16;
            messages = mem_realloc(messages, room * sizeof *messages);
        }
        messages[count++] =
            *(const struct conversation_messages_row *)row_copy(&table_conversation_messages, row, arena);
        ok = row_stream_next(streams->messages, &row, err);
        if (!ok)
            break;
    }
    ok = ok && conversation_put(&file->pending, conversation, messages, count, err);
    free(messages);
    return ok;
}

/* Writes whichever of the two heads comes first. *more is false when there was none. */
static bool put_next(struct export_file *file, struct conversation_streams *streams, struct arena *arena, bool *more,
                     struct err *err)
{
    const void *conversation;
    const void *cycle;
    if (!row_stream_peek(streams->conversations, &conversation, err) || !row_stream_peek(streams->cycles, &cycle, err))
        return false;
    *more = conversation || cycle;
    if (!*more)
        return true;
    bool cycle_first = cycle && (!conversation || ((const struct decision_cycles_row *)cycle)->feed_ordinal.v <
                                                      ((const struct conversations_row *)conversation)->feed_ordinal.v);
    export_begin_row(file);
    const void *taken;
    if (cycle_first)
        return row_stream_next(streams->cycles, &taken, err) &&
               wire_put_object(&file->pending, &wire_cycle, taken, err) && export_end_row(file, err);
    return row_stream_next(streams->conversations, &taken, err) && put_conversation(file, streams, arena, taken, err) &&
           export_end_row(file, err);
}

bool export_rows_conversations(struct export_file *file, struct err *err)
{
    struct conversation_streams streams = {NULL, NULL, NULL};
    struct arena *arena = arena_new(0);
    bool ok = open_streams(&streams, file->session, err);
    bool more = true;
    json_key(&file->json, SLICE("conversations"));
    json_begin_array(&file->json);
    while (ok && more)
        ok = put_next(file, &streams, arena, &more, err);
    json_end_array(&file->json);
    row_stream_close(streams.conversations);
    row_stream_close(streams.messages);
    row_stream_close(streams.cycles);
    arena_free(arena);
    return ok && session_exec(file->session, "CLOSE export_chats; CLOSE export_messages; CLOSE export_cycles", err);
}
