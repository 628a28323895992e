/* Positions stand in a map of each model. One that is gone was closed, and its last state says which it was. */
#include "base/json_read.h"
#include "base/mem.h"
#include "base/num.h"
#include "ingest/capture_diff_inside.h"

#include <stdlib.h>

/* A model of the list and its map. */
struct holder {
    struct slice model; /* with its quotes; p == NULL: it has none */
    struct capture_member *positions;
    size_t count;
    size_t room;
    bool is_map;                   /* else it has no positions, or null, or something odd */
    struct capture_member *others; /* what stands beside them */
    size_t other_count;
    size_t other_room;
};

static bool each_position(void *arg, struct slice key, struct slice value)
{
    struct holder *holder = arg;
    capture_member_add(&holder->positions, &holder->count, &holder->room, key, value);
    return true;
}

static bool each_member(void *arg, struct slice key, struct slice value)
{
    struct holder *holder = arg;
    if (slice_is(key, "model_id"))
        holder->model = value;
    if (slice_is(key, "positions") && value.p[0] == '{')
        holder->is_map = json_walk_object(value, each_position, holder);
    else
        capture_member_add(&holder->others, &holder->other_count, &holder->other_room, key, value);
    return true;
}

static struct holder *read_holders(const struct capture_document *document)
{
    struct holder *holders = mem_calloc(document->row_count + 1, sizeof *holders);
    for (size_t i = 0; i < document->row_count; i++)
        (void)json_walk_object(document->rows[i].json, each_member, &holders[i]);
    return holders;
}

static void free_holders(struct holder *holders, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(holders[i].positions);
        free(holders[i].others);
    }
    free(holders);
}

static void emit(struct diffing *diffing, const struct holder *holder, size_t index,
                 const struct capture_member *position, bool closed)
{
    static const char *const of_events[] = {"model_id",  "timestamp",         "status", "exit_price",
                                            "exit_time", "exchange_provider", NULL};
    struct buf members = BUF_INIT;
    struct buf item = BUF_INIT;
    struct slice symbol = capture_find(position->json, "symbol");
    bool other_symbol =
        symbol.p && (symbol.n != position->key.n + 2 || memcmp(symbol.p + 1, position->key.p, position->key.n) != 0);
    diff_at(diffing, index);
    buf_printf(&diffing->path, ".positions.%.*s", SLICE_ARG(position->key));
    if (other_symbol) {
        diff_beyond(diffing, "a position names another symbol than its key");
    } else if (position->json.p[0] != '{' || diff_has_any(position->json, of_events)) {
        diff_beyond(diffing, "a position has members that mean something else in an event");
    } else if (diff_put_timestamp(diffing, &members)) {
        buf_printf(&members, ",\"model_id\":%.*s", SLICE_ARG(holder->model));
        if (closed)
            buf_append_str(&members, ",\"status\":\"closed\"");
        if (!symbol.p)
            buf_printf(&members, ",\"symbol\":\"%.*s\"", SLICE_ARG(position->key));
        diff_put_object(&item, &members, position->json);
        diff_emit(diffing, EVENT_POSITIONS, buf_slice(&item));
    }
    buf_free(&item);
    buf_free(&members);
}

static const struct capture_member *find(const struct holder *holder, struct slice symbol)
{
    for (size_t i = 0; holder && i < holder->count; i++) {
        if (slice_equal(holder->positions[i].key, symbol))
            return &holder->positions[i];
    }
    return NULL;
}

/* Two states of a model and symbol are of one position when it was entered at one time. */
static bool same_position(const struct capture_member *a, const struct capture_member *b)
{
    double left;
    double right;
    if (num_parse_double(capture_find(a->json, "entry_time"), &left) &&
        num_parse_double(capture_find(b->json, "entry_time"), &right))
        return left == right;
    return capture_same_value(a->json, b->json);
}

/* A model as it was (NULL: it was not there) and as it is. `index` and `old_index` are their rows. */
static void diff_model(struct diffing *diffing, struct holder *before, size_t old_index, struct holder *now,
                       size_t index)
{
    for (size_t i = 0; i < now->count; i++) {
        const struct capture_member *old = find(before, now->positions[i].key);
        if (!old || !capture_same_value(old->json, now->positions[i].json))
            emit(diffing, now, index, &now->positions[i], false);
    }
    for (size_t i = 0; before && i < before->count; i++) {
        const struct capture_member *fresh = find(now, before->positions[i].key);
        if (!fresh || !same_position(&before->positions[i], fresh))
            emit(diffing, before, old_index, &before->positions[i], true);
    }
    if (!before && now->count == 0)
        diff_beyond(diffing, "a model without positions is new");
    else if (before ? before->is_map != now->is_map : !now->is_map)
        diff_beyond(diffing, "a model's positions are no map, or are one again");
    /* Of a new one there is its model_id, which the items say. */
    if (before ? !capture_same_members(before->others, before->other_count, now->others, now->other_count)
               : now->other_count > 1)
        diff_beyond(diffing, "something beside a model's positions changed");
}

static void diff_holders(struct diffing *diffing, struct holder *before, struct holder *now)
{
    struct once *models = once_new();
    size_t next = 0; /* where the next one of before should stand */
    size_t kept = 0;
    bool *stays = mem_calloc(diffing->before.row_count + 1, sizeof *stays);
    /* `where` carries the row's number as its length. */
    for (size_t i = 0; i < diffing->before.row_count; i++) {
        if (before[i].model.p)
            (void)once_add(models, before[i].model, (struct slice){before[i].model.p, i});
    }
    for (size_t i = 0; i < diffing->now.row_count; i++) {
        if (!now[i].model.p) {
            diff_beyond(diffing, "a row names no model");
            continue;
        }
        struct slice where = once_add(models, now[i].model, (struct slice){now[i].model.p, i});
        bool was_there = diff_is_before(diffing, where);
        if ((was_there && stays[where.n]) || (!was_there && where.p != now[i].model.p)) {
            diff_beyond(diffing, "a model stands there twice");
            continue;
        }
        if (was_there && where.n < next)
            diff_beyond(diffing, "models stand in another order");
        if (was_there) {
            next = where.n;
            stays[where.n] = true;
            kept++;
        }
        diff_model(diffing, was_there ? &before[where.n] : NULL, was_there ? where.n : 0, &now[i], i);
    }
    for (size_t i = 0; i < diffing->before.row_count; i++) {
        for (size_t k = 0; !stays[i] && before[i].model.p && k < before[i].count; k++)
            emit(diffing, &before[i], i, &before[i].positions[k], true);
    }
    if (kept < diffing->before.row_count)
        diff_beyond(diffing, "models are gone");
    free(stays);
    once_free(models);
}

void diff_positions(struct diffing *diffing)
{
    struct holder *before = read_holders(&diffing->before);
    struct holder *now = read_holders(&diffing->now);
    diff_holders(diffing, before, now);
    free_holders(before, diffing->before.row_count);
    free_holders(now, diffing->now.row_count);
}
