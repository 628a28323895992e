#include "ingest/outbox_rows.h"

#include "base/json_read.h"
#include "base/num.h"
#include "ingest/row_stream.h"

/* A batch ends behind the row with which it has so many items. */
enum { ITEMS_ENOUGH = 4000 };

static size_t texts_of(enum outbox_feed feed)
{
    switch (feed) {
    case OUTBOX_CONVERSATIONS:
        return 3;
    case OUTBOX_ANALYTICS:
    case OUTBOX_LEADERBOARD:
    case OUTBOX_TRADER_STATE:
        return 1;
    default:
        return 2;
    }
}

static bool take_item(struct outbox_item *item, const cJSON *texts, size_t wanted, struct arena *arena)
{
    size_t count = 0;
    const cJSON *text;
    cJSON_ArrayForEach(text, texts)
    {
        if (count == wanted || !cJSON_IsString(text))
            return false;
        item->texts[count++] = arena_copy(arena, slice_of(text->valuestring));
    }
    return cJSON_IsArray(texts) && count == wanted;
}

/* The last text of an account total is an instant, and the middle one of a conversation says which shape it has. */
static bool is_sound(enum outbox_feed feed, const struct outbox_item *item)
{
    int64_t number;
    if (feed == OUTBOX_ACCOUNT_TOTALS)
        return num_parse_i64(item->texts[1], &number);
    if (feed == OUTBOX_CONVERSATIONS)
        return slice_is(item->texts[1], "cycle") || slice_is(item->texts[1], "talk");
    return true;
}

static void take_items(struct outbox_change *change, struct arena *arena)
{
    static const char bad_items[] = "its items are not what its feed has";
    cJSON *list = json_parse(change->json, NULL);
    int count = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;
    if (count == 0)
        change->fault = bad_items;
    else
        change->items = arena_zalloc(arena, (size_t)count * sizeof *change->items);
    const cJSON *texts;
    cJSON_ArrayForEach(texts, list)
    {
        if (change->fault)
            break;
        struct outbox_item *item = &change->items[change->item_count++];
        if (!take_item(item, texts, texts_of(change->feed), arena) || !is_sound(change->feed, item))
            change->fault = bad_items;
    }
    if (change->fault)
        change->item_count = 0;
    cJSON_Delete(list);
}

struct reading {
    struct outbox_batch *batch;
    const char *reader;
    size_t limit;
    size_t items;
};

static bool on_row(void *arg, const void *found, struct err *err)
{
    (void)err;
    struct reading *reading = arg;
    struct outbox_batch *batch = reading->batch;
    /* The rest of the rows is on its way already: passed over. */
    if (batch->count && reading->items >= ITEMS_ENOUGH) {
        batch->more = true;
        return true;
    }
    const struct outbox_row *row = row_copy(&table_outbox, found, batch->arena);
    struct outbox_change *change = &batch->rows[batch->count++];
    *change = (struct outbox_change){.id = row->id.v,
                                     .feed = outbox_feed_find(row->feed),
                                     .feed_name = row->feed,
                                     .json = row->items,
                                     .is_others = row->target.p && !slice_is(row->target, reading->reader)};
    if (change->feed == OUTBOX_FEED_COUNT)
        change->fault = "its feed is not known";
    else if (!change->is_others)
        take_items(change, batch->arena);
    reading->items += change->item_count;
    batch->more = batch->count == reading->limit;
    return true;
}

bool outbox_batch_read(struct outbox_batch *batch, struct session *session, int64_t position, const char *reader,
                       size_t limit, struct err *err)
{
    *batch = (struct outbox_batch){.arena = arena_new(0)};
    batch->rows = arena_alloc(batch->arena, limit * sizeof *batch->rows);
    struct reading reading = {batch, reader, limit, 0};
    struct params params = params_on(batch->arena);
    struct buf sql = BUF_INIT;
    params_add_i64(&params, position);
    params_add_i64(&params, (int64_t)limit);
    buf_append_str(&sql, "SELECT ");
    table_put_columns(&sql, &table_outbox, "");
    buf_append_str(&sql, " FROM outbox WHERE id > $1 ORDER BY id LIMIT $2");
    bool good = session_each_row(session, buf_cstr(&sql), &params, &table_outbox, on_row, &reading, err);
    buf_free(&sql);
    return good || err_wrap(err, "outbox");
}

void outbox_batch_free(struct outbox_batch *batch)
{
    arena_free(batch->arena);
    *batch = (struct outbox_batch){0};
}

int64_t outbox_batch_last(const struct outbox_batch *batch)
{
    return batch->rows[batch->count - 1].id;
}
