#include "base/json_read.h"
#include "base/mem.h"
#include "ingest/event_inside.h"

#include <stdlib.h>

static const char *const names[EVENT_KIND_COUNT] = {
#define EVENT(id, name, noun, doc) [EVENT_##id] = (name),
#include "ingest/event_kinds.def"
#undef EVENT
};

const char *event_kind_name(enum event_kind kind)
{
    return names[kind];
}

enum event_kind event_kind_find(struct slice name)
{
    enum event_kind kind = 0;
    while (kind < EVENT_KIND_COUNT && !slice_is(name, names[kind]))
        kind++;
    return kind;
}

struct event_batch *event_batch_new(enum event_kind kind, const char *prices_provider)
{
    struct event_batch *batch = mem_zalloc(sizeof *batch);
    batch->kind = kind;
    batch->prices_provider = mem_strndup(prices_provider, strlen(prices_provider));
    batch->arena = arena_new(0);
    return batch;
}

void event_batch_free(struct event_batch *batch)
{
    if (!batch)
        return;
    free(batch->prices_provider);
    free(batch->events);
    arena_free(batch->arena);
    free(batch);
}

void event_batch_set_atomic(struct event_batch *batch)
{
    batch->atomic = true;
}

void event_reject(struct event *event, const char *code, const char *path, const char *reason)
{
    struct event_outcome *outcome = &event->outcome;
    if (outcome->status == EVENT_REJECTED)
        return;
    outcome->status = EVENT_REJECTED;
    outcome->code = code;
    outcome->path = arena_copy(event->batch->arena, slice_of(path));
    outcome->reason = arena_copy(event->batch->arena, slice_of(reason));
}

struct check {
    struct event_batch *batch;
    struct event *event;
};

/* The first fault is the one that is told. */
static bool on_fault(void *arg, const struct json_fault *fault)
{
    struct check *check = arg;
    char *reason =
        arena_printf(check->batch->arena, "line %lu, column %lu: %s", fault->line, fault->column, fault->what);
    event_reject(check->event, "invalid", fault->path, reason);
    return false;
}

static struct event *next_event(struct event_batch *batch)
{
    if (batch->count == batch->room) {
        batch->room = batch->room ? batch->room * 2 : 16;
        batch->events = mem_realloc(batch->events, batch->room * sizeof *batch->events);
    }
    struct event *event = &batch->events[batch->count++];
    *event = (struct event){.outcome = {.status = EVENT_PENDING}, .batch = batch};
    return event;
}

void event_batch_add(struct event_batch *batch, struct slice json)
{
    struct event *event = next_event(batch);
    struct check check = {batch, event};
    if (!json_check(json, on_fault, &check))
        return;
    cJSON *tree = cJSON_ParseWithLength(json.p, json.n);
    if (tree)
        event_read(batch, event, tree);
    else
        event_reject(event, "invalid", "$", "the JSON parser failed on it");
    cJSON_Delete(tree);
}

enum event_kind event_batch_kind(const struct event_batch *batch)
{
    return batch->kind;
}

size_t event_batch_count(const struct event_batch *batch)
{
    return batch->count;
}

size_t event_batch_bytes(const struct event_batch *batch)
{
    return arena_used(batch->arena) + batch->room * sizeof *batch->events;
}

const struct event_outcome *event_batch_outcome(const struct event_batch *batch, size_t i)
{
    return &batch->events[i].outcome;
}

struct event_counts event_batch_counts(const struct event_batch *batch)
{
    struct event_counts counts = {0, 0, 0};
    for (size_t i = 0; i < batch->count; i++) {
        enum event_status status = batch->events[i].outcome.status;
        counts.accepted += status == EVENT_ACCEPTED;
        counts.duplicate += status == EVENT_DUPLICATE;
        counts.rejected += status == EVENT_REJECTED;
    }
    return counts;
}
