#include "base/mem.h"
#include "base/num.h"
#include "ingest/import_parts.h"

#include <inttypes.h>
#include <stdlib.h>

/* Conversations get their ids from the database, so messages are loaded in a second walk, when the ids are known. */
enum { WALK_CONVERSATIONS = 1, WALK_MESSAGES = 2 };

struct conversations_state {
    struct bulk *conversations;
    struct bulk *cycles;
    struct bulk *messages;
    struct once *openings; /* how often a model began with the same message, in this walk */
    int64_t *ids;          /* of the conversations, in file order */
    size_t id_count;
    size_t next;
};

static bool has_member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key) != NULL;
}

static bool cycle(struct import_pass *pass, const cJSON *object, const char *path, struct err *err)
{
    struct conversations_state *state = pass->state;
    struct decision_cycles_row row = {0};
    bool good = wire_read_object(&pass->reader, &wire_cycle, object, path, &row);
    if (row.source_id.p && !wire_check_key(&pass->reader, row.source_id, path, "id"))
        good = false;
    if (row.model_id.p && !wire_check_key(&pass->reader, row.model_id, path, "model_id"))
        good = false;
    if (!row.source_id.p ||
        import_once(pass, pass->ids, row.source_id, wire_path_key(pass->arena, path, "id")) != IMPORT_NEW || !good)
        return true;
    if (pass->walk == 0) {
        names_add(&pass->models, row.model_id);
        return true;
    }
    row.feed_ordinal = col_i64(feed_order_next(&pass->order, row.model_id));
    if (pass->walk == WALK_MESSAGES)
        return true;
    wire_derive_cycle(&pass->reader, object, &row);
    return bulk_add(state->cycles, &row, err);
}

/* The model and its first message say which conversation this is, a number tells apart those that begin alike. */
static struct slice source_key(struct import_pass *pass, struct slice model, const cJSON *messages)
{
    struct conversations_state *state = pass->state;
    if (!state->openings)
        state->openings = once_new();
    struct slice digest = wire_opening_digest(&pass->reader, model, messages);
    return slice_of(arena_printf(pass->arena, "%.*s-%zu", SLICE_ARG(digest), once_bump(state->openings, digest)));
}

static bool message(struct import_pass *pass, const cJSON *object, const char *path, int64_t conversation, size_t seq,
                    struct err *err)
{
    struct conversations_state *state = pass->state;
    struct conversation_messages_row row = {0};
    if (!wire_read_message(&pass->reader, object, path, &row) || pass->walk == 0)
        return true;
    row.conversation_id = col_i64(conversation);
    row.seq = col_i64((int64_t)seq);
    return bulk_add(state->messages, &row, err);
}

static bool each_message(struct import_pass *pass, const cJSON *messages, const char *path, int64_t conversation,
                         struct err *err)
{
    size_t seq = 0;
    const cJSON *member;
    cJSON_ArrayForEach(member, messages)
    {
        if (!message(pass, member, wire_path_index(pass->arena, path, seq), conversation, seq, err))
            return false;
        seq++;
    }
    return true;
}

static bool conversation(struct import_pass *pass, const cJSON *object, const char *path, struct err *err)
{
    struct conversations_state *state = pass->state;
    struct conversations_row row = {0};
    struct wire_remark remark = {NULL, NULL};
    bool good = wire_read_members(&pass->reader, &wire_conversation, object, path,
                                  (const char *const[]){"messages", NULL}, &row, &remark);
    row.wire_detail = wire_remark_take(&remark, pass->arena);
    if (row.model_id.p && !wire_check_key(&pass->reader, row.model_id, path, "model_id"))
        good = false;
    const cJSON *messages = cJSON_GetObjectItemCaseSensitive(object, "messages");
    const char *messages_path = wire_path_key(pass->arena, path, "messages");
    if (!cJSON_IsArray(messages)) {
        import_fault(pass, messages_path, "must be an array, is %s", wire_type_name(messages));
        return true;
    }
    if (pass->walk == 0) {
        if (good)
            names_add(&pass->models, row.model_id);
        return each_message(pass, messages, messages_path, 0, err);
    }
    if (pass->walk == WALK_MESSAGES) {
        if (state->next >= state->id_count)
            return err_set(err, ERR_INTERNAL, "a stored conversation has gone");
        return each_message(pass, messages, messages_path, state->ids[state->next++], err);
    }
    row.source_key = source_key(pass, row.model_id, messages);
    row.feed_ordinal = col_i64(feed_order_next(&pass->order, row.model_id));
    return bulk_add(state->conversations, &row, err);
}

static bool element(struct import_pass *pass, const cJSON *object, const char *key, const char *path, struct err *err)
{
    (void)key;
    if (cJSON_IsObject(object) && !has_member(object, "messages") && !has_member(object, "id")) {
        import_fault(pass, path, "is neither a conversation (no messages) nor a decision cycle (no id)");
        return true;
    }
    return wire_is_cycle(object) ? cycle(pass, object, path, err) : conversation(pass, object, path, err);
}

static bool begin(struct import_pass *pass, struct err *err)
{
    struct conversations_state *state = pass->state;
    struct session *session = pass->import->session;
    state->conversations = bulk_begin(session, &table_conversations, err);
    state->cycles = state->conversations ? bulk_begin(session, &table_decision_cycles, err) : NULL;
    state->messages = state->cycles ? bulk_begin(session, &table_conversation_messages, err) : NULL;
    return state->messages != NULL;
}

/* The feed has exactly the conversations of the file now, in its order. */
static bool read_ids(struct import_pass *pass, struct err *err)
{
    struct conversations_state *state = pass->state;
    PGresult *result = session_query(
        pass->import->session,
        "SELECT id::text FROM conversations WHERE feed_ordinal IS NOT NULL ORDER BY feed_ordinal", NULL, err);
    if (!result)
        return false;
    state->id_count = (size_t)PQntuples(result);
    state->ids = mem_calloc(state->id_count + 1, sizeof *state->ids);
    bool ok = true;
    for (int i = 0; ok && i < PQntuples(result); i++)
        ok = num_parse_i64((struct slice){PQgetvalue(result, i, 0), (size_t)PQgetlength(result, i, 0)}, &state->ids[i]);
    PQclear(result);
    return ok || err_set(err, ERR_INTERNAL, "the database gave no number as a conversation's id");
}

/* Messages behind the end of a conversation that has become shorter. */
static bool remove_rest(struct import_pass *pass, const char *staging, struct err *err)
{
    struct buf sql = BUF_INIT;
    buf_printf(&sql,
               "DELETE FROM conversation_messages m USING conversations c WHERE c.id = m.conversation_id AND "
               "c.feed_ordinal IS NOT NULL AND NOT EXISTS (SELECT 1 FROM %s s WHERE s.conversation_id = "
               "m.conversation_id AND s.seq = m.seq)",
               staging);
    int64_t removed = 0;
    bool ok = session_run(pass->import->session, buf_cstr(&sql), NULL, &removed, err);
    pass->removed += removed;
    buf_free(&sql);
    return ok;
}

static bool end(struct import_pass *pass, struct err *err)
{
    struct conversations_state *state = pass->state;
    struct bulk_counts counts;
    if (pass->walk == WALK_CONVERSATIONS) {
        if (!bulk_merge(state->conversations, BULK_LEAVE_FEED, &counts, err))
            return false;
        import_count(pass, &counts);
        if (!bulk_merge(state->cycles, BULK_LEAVE_FEED, &counts, err))
            return false;
        import_count(pass, &counts);
        return read_ids(pass, err);
    }
    if (!bulk_merge(state->messages, BULK_KEEP_FEED, &counts, err))
        return false;
    import_count(pass, &counts);
    return remove_rest(pass, bulk_staging(state->messages), err);
}

static void release(struct import_pass *pass)
{
    struct conversations_state *state = pass->state;
    bulk_free(state->conversations);
    bulk_free(state->cycles);
    bulk_free(state->messages);
    once_free(state->openings);
    free(state->ids);
    *state = (struct conversations_state){0};
}

const struct import_kind import_conversations = {
    .name = "conversations",
    .list_key = "conversations",
    .load_walks = 2,
    .state_size = sizeof(struct conversations_state),
    .element = element,
    .begin = begin,
    .end = end,
    .release = release,
};
