/* Conversations in message shape. One with a conversation_id is told apart by it; another is the stored one of its
 * model that begins with it, or that it begins with. Of two where one begins with the other, the longer one is kept.
 *
 * In the feed stand the newest of each model, by their newest message, newest first. Conversations are long and rare,
 * so they are taken one by one. */
#include "base/num.h"
#include "ingest/event_talks.h"

enum { FEED_TALKS_OF_MODEL = 20 };

static const char *const message_place[] = {"conversation_id", "seq", "metadata", NULL};
static const char *const talk_place[] = {"source_key", "feed_ordinal", NULL};

struct talk {
    int64_t id; /* 0: not stored */
    struct slice source_key;
    struct conversations_row *row;
    void **messages;
    size_t message_count;
};

static bool load_messages(struct event_store *store, struct talk *talk, struct err *err)
{
    struct buf sql = BUF_INIT;
    struct params params = params_on(store->arena);
    params_add_i64(&params, talk->id);
    buf_append_str(&sql, "SELECT ");
    table_put_columns(&sql, &table_conversation_messages, "t.");
    buf_append_str(&sql, " FROM conversation_messages AS t WHERE t.conversation_id = $1 ORDER BY t.seq");
    PGresult *result = event_read_rows(store, "talk_messages", buf_cstr(&sql), &params, err);
    buf_free(&sql);
    if (!result)
        return false;
    void **rows = many_decode(&table_conversation_messages, result, &talk->message_count, store->arena, err);
    talk->messages = rows;
    for (size_t i = 0; rows && i < talk->message_count; i++) {
        struct conversation_messages_row *row = rows[i];
        row->role = arena_copy(store->arena, row->role);
        row->content = arena_copy(store->arena, row->content);
        row->ts_raw = row->ts_raw.p ? arena_copy(store->arena, row->ts_raw) : row->ts_raw;
        row->wire_detail = row->wire_detail.p ? arena_copy(store->arena, row->wire_detail) : row->wire_detail;
    }
    PQclear(result);
    return rows != NULL;
}

/* Whether the shorter of the two is the beginning of the longer. */
static bool begins_alike(const struct talk *talk, const struct event *event, const char **column)
{
    size_t n = talk->message_count < event->message_count ? talk->message_count : event->message_count;
    for (size_t i = 0; i < n; i++)
        if (!row_same(&table_conversation_messages, talk->messages[i], &event->messages[i], message_place, column))
            return false;
    return true;
}

/* The stored conversations that the event may be, oldest first. Those whose second message is another are none. */
static PGresult *read_candidates(struct event_store *store, const struct event *event, struct slice own_key,
                                 struct err *err)
{
    struct params params = params_on(store->arena);
    params_add_text(&params, own_key);
    params_add_text(&params, event->message_count > 1 ? event->messages[1].content : (struct slice){NULL, 0});
    struct buf sql = BUF_INIT;
    buf_append_str(&sql, "SELECT ");
    table_put_columns(&sql, &table_conversations, "t.");
    buf_append_str(&sql, " FROM conversations AS t WHERE ");
    /* '.' follows '-' in the order of bytes: every key that begins with the digest and '-'. */
    buf_append_str(&sql, event->beside.conversation_id.p
                             ? "t.source_key = $1 AND ($2::text IS NULL OR true)"
                             : "t.source_key >= $1 || '-' AND t.source_key < $1 || '.' AND ($2::text IS NULL OR"
                               " coalesce((SELECT m.content = $2 FROM conversation_messages AS m WHERE"
                               " m.conversation_id = t.id AND m.seq = 1), true))");
    buf_append_str(&sql, " ORDER BY t.id");
    PGresult *result = event_read_rows(store, event->beside.conversation_id.p ? "talk_named" : "talk_alike",
                                       buf_cstr(&sql), &params, err);
    buf_free(&sql);
    return result;
}

/* The longest stored conversation that begins alike; *talk stays empty when there is none. A named one that does not
 * begin alike is a conflict. */
static bool find(struct event_store *store, struct event *event, struct slice own_key, struct talk *talk,
                 struct err *err)
{
    PGresult *result = read_candidates(store, event, own_key, err);
    size_t count = 0;
    void **rows = result ? many_decode(&table_conversations, result, &count, store->arena, err) : NULL;
    bool good = rows != NULL;
    for (size_t i = 0; good && i < count; i++) {
        struct conversations_row *row = rows[i];
        struct talk one = {.id = row->id.v, .source_key = arena_copy(store->arena, row->source_key)};
        const char *column = NULL;
        good = load_messages(store, &one, err);
        if (!good)
            break;
        bool alike =
            begins_alike(&one, event, &column) && row_same(&table_conversations, row, event->row, talk_place, &column);
        if (alike && one.message_count >= talk->message_count)
            *talk = one;
        else if (!alike && event->beside.conversation_id.p)
            event_conflict(event, "this conversation", column);
    }
    PQclear(result);
    return good;
}

/* "{digest}-{number}" with the first free number. */
static bool next_key(struct event_store *store, struct slice digest, struct slice *key, struct err *err)
{
    struct params params = params_on(store->arena);
    params_add_text(&params, digest);
    PGresult *result =
        event_read_rows(store, "talk_numbers",
                        "SELECT coalesce(max(substr(source_key, length($1) + 2)::bigint) + 1, 0) FROM conversations"
                        " WHERE source_key >= $1 || '-' AND source_key < $1 || '.'",
                        &params, err);
    if (!result)
        return false;
    char number[NUM_TEXT_SIZE];
    size_t length = num_format_i64(number, cell_i64(result, 0, 0).v);
    *key = slice_of(arena_printf(store->arena, "%.*s-%.*s", SLICE_ARG(digest), (int)length, number));
    PQclear(result);
    return true;
}

static bool insert(struct event_store *store, struct event *event, struct talk *talk, struct err *err)
{
    struct pipeline pipeline;
    PGresult *results[PIPELINE_MAX];
    struct conversations_row *row = event->row;
    row->source_key = talk->source_key;
    pipeline_begin(&pipeline, store->session);
    struct params params = params_on(store->arena);
    params_add_text(&params, row->source_key);
    struct err refused = ERR_INIT;
    bool good =
        many_add_upsert(&pipeline, store->many->conversations, (const void *const[]){row}, 1, store->arena, &refused);
    pipeline_add(&pipeline, "talk_id", "SELECT id FROM conversations WHERE source_key = $1", &params);
    if (!pipeline_run(&pipeline, results, err))
        return false;
    size_t last = pipeline.count - 1;
    talk->id = good ? cell_i64(results[last], 0, 0).v : 0;
    for (size_t i = 0; i < pipeline.count; i++)
        PQclear(results[i]);
    if (!good)
        *err = refused;
    return good;
}

static bool append(struct event_store *store, struct event *event, const struct talk *talk, struct err *err)
{
    const void **rows = arena_alloc(store->arena, (event->message_count + 1) * sizeof *rows);
    size_t n = 0;
    for (size_t i = talk->message_count; i < event->message_count; i++) {
        event->messages[i].conversation_id = col_i64(talk->id);
        rows[n++] = &event->messages[i];
    }
    struct pipeline pipeline;
    struct err refused = ERR_INIT;
    pipeline_begin(&pipeline, store->session);
    bool good = many_add_upsert(&pipeline, store->many->conversation_messages, rows, n, store->arena, &refused);
    if (!pipeline_run_only(&pipeline, err))
        return false;
    if (!good)
        *err = refused;
    return good;
}

/* The feed anew: of each model whose conversations changed. The order is that of the newest messages; ties by what was
 * said, not by when it came. */
static bool place(struct event_store *store, struct slice source_key, struct slice model, struct err *err)
{
    struct params params = params_on(store->arena);
    struct params two = params_on(store->arena);
    params_add_text(&params, source_key);
    params_add_text(&two, model);
    params_add_i64(&two, FEED_TALKS_OF_MODEL);
    struct pipeline pipeline;
    pipeline_begin(&pipeline, store->session);
    pipeline_add(
        &pipeline, "talk_spread",
        "UPDATE conversations AS t SET feed_ordinal = r.place << 32, updated_at = now() FROM (SELECT id,"
        " row_number() OVER (ORDER BY feed_ordinal) AS place FROM conversations WHERE feed_ordinal IS NOT NULL)"
        " AS r WHERE r.id = t.id AND EXISTS (SELECT 1 FROM (SELECT feed_ordinal - lag(feed_ordinal) OVER"
        " (ORDER BY feed_ordinal) AS gap FROM conversations WHERE feed_ordinal IS NOT NULL) AS g WHERE gap < 2)",
        NULL);
    /* Behind the last that is newer, in the middle of the gap; in front of all when none is. */
    pipeline_add(
        &pipeline, "talk_place",
        "WITH feed AS (SELECT c.id, c.source_key, c.model_id, c.feed_ordinal, coalesce((SELECT max(m.ts_ms) FROM"
        " conversation_messages AS m WHERE m.conversation_id = c.id), 0) AS newest FROM conversations AS c"
        " WHERE c.feed_ordinal IS NOT NULL OR c.source_key = $1),"
        " own AS (SELECT * FROM feed WHERE source_key = $1),"
        " low AS (SELECT f.feed_ordinal FROM feed AS f, own WHERE f.source_key <> $1 AND"
        "  (f.newest, f.model_id, f.source_key) > (own.newest, own.model_id, own.source_key)"
        "  ORDER BY f.newest, f.model_id, f.source_key LIMIT 1),"
        " high AS (SELECT min(f.feed_ordinal) AS feed_ordinal FROM feed AS f WHERE f.source_key <> $1 AND"
        "  f.feed_ordinal > coalesce((SELECT feed_ordinal FROM low), '-9223372036854775808'::bigint))"
        " UPDATE conversations AS c SET feed_ordinal = CASE"
        "  WHEN (SELECT feed_ordinal FROM high) IS NULL THEN coalesce((SELECT feed_ordinal FROM low), 0) +"
        "   4294967296"
        "  WHEN NOT EXISTS (SELECT 1 FROM low) THEN (SELECT feed_ordinal FROM high) - 4294967296"
        "  ELSE (SELECT feed_ordinal FROM low) + ((SELECT feed_ordinal FROM high) - (SELECT feed_ordinal FROM"
        "   low)) / 2 END, updated_at = now() WHERE c.source_key = $1",
        &params);
    pipeline_add(&pipeline, "talk_trim",
                 "UPDATE conversations SET feed_ordinal = NULL, updated_at = now() WHERE id IN (SELECT id FROM"
                 " conversations WHERE model_id = $1 AND feed_ordinal IS NOT NULL ORDER BY feed_ordinal OFFSET $2)",
                 &two);
    return pipeline_run_only(&pipeline, err);
}

static bool store_one(struct event_store *store, struct event *event, struct err *err)
{
    struct conversations_row *row = event->row;
    bool named = event->beside.conversation_id.p != NULL;
    struct talk talk = {.id = 0};
    struct slice key = named ? slice_of(arena_printf(store->arena, "id:%.*s", SLICE_ARG(event->beside.conversation_id)))
                             : event->opening;
    if (!find(store, event, key, &talk, err))
        return false;
    if (!event_is_open(event))
        return true;
    if (talk.id && talk.message_count >= event->message_count) {
        event_duplicate(event);
        return true;
    }
    if (store->refused)
        return true;
    if (!talk.id) {
        talk.source_key = key;
        if ((!named && !next_key(store, event->opening, &talk.source_key, err)) || !insert(store, event, &talk, err))
            return false;
    }
    if (!append(store, event, &talk, err) || !place(store, talk.source_key, row->model_id, err))
        return false;
    names_add(&store->models, row->model_id);
    outbox_note(&store->notes, OUTBOX_CONVERSATIONS,
                (const struct slice[]){row->model_id, SLICE("talk"), talk.source_key}, 3);
    store->feeds[OUTBOX_CONVERSATIONS] = true;
    event_accept(event);
    return true;
}

bool event_store_talks(struct event_store *store, struct event **events, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++)
        if (!store_one(store, events[i], err))
            return false;
    (void)event_store_refuses(store, events, count);
    return true;
}

bool event_store_conversations(struct event_store *store, struct event **events, size_t count, struct err *err)
{
    struct event **cycles = arena_alloc(store->arena, (count + 1) * sizeof *cycles);
    struct event **talks = arena_alloc(store->arena, (count + 1) * sizeof *talks);
    size_t cycle_count = 0;
    size_t talk_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (events[i]->is_cycle)
            cycles[cycle_count++] = events[i];
        else
            talks[talk_count++] = events[i];
    }
    return (cycle_count == 0 || event_store_cycles(store, cycles, cycle_count, err)) &&
           (talk_count == 0 || event_store_talks(store, talks, talk_count, err));
}
