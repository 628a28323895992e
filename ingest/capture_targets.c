#include "ingest/capture_targets.h"

#include "base/json_read.h"
#include "base/mem.h"
#include "ingest/capture_fetch.h"

#include <stdlib.h>

enum { MODEL_NAME_MAX = 200 }; /* a file name may have 255 bytes, a temporary one is longer than the file's own */

static struct target *add(struct targets *targets, enum capture_endpoint endpoint, int64_t now_us)
{
    struct target *target = mem_zalloc(sizeof *target);
    target->endpoint = endpoint;
    target->due_us = now_us;
    target->listed = true;
    target->asked_from = -1;
    targets->list = mem_realloc(targets->list, (targets->count + 1) * sizeof(struct target *));
    targets->list[targets->count++] = target;
    return target;
}

static char *joined(const char *a, const char *b, const char *c)
{
    struct buf text = BUF_INIT;
    buf_printf(&text, "%s%s%s", a, b, c);
    (void)buf_cstr(&text);
    return buf_take(&text, NULL);
}

void targets_start(struct targets *targets, struct capture_state *state, int64_t now_us)
{
    *targets = (struct targets){0};
    for (enum capture_endpoint i = 0; i < CAPTURE_ANALYTICS_ONE; i++) {
        struct target *target = add(targets, i, now_us);
        target->name = joined(capture_kinds[i].name, "", "");
        target->file = joined(target->name, ".json", "");
        target->path = joined("/api/", target->name, "");
        target->entry = capture_state_entry(state, target->name);
    }
}

void targets_stop(struct targets *targets)
{
    for (size_t i = 0; i < targets->count; i++) {
        struct target *target = targets->list[i];
        free(target->model);
        free(target->name);
        free(target->file);
        free(target->path);
        free(target->asked);
        free(target->trouble);
        free(target);
    }
    free(targets->list);
    *targets = (struct targets){0};
}

static struct target *find(const struct targets *targets, const char *model)
{
    for (size_t i = 0; i < targets->count; i++) {
        if (targets->list[i]->model && strcmp(targets->list[i]->model, model) == 0)
            return targets->list[i];
    }
    return NULL;
}

static bool usable(struct slice model)
{
    return model.n > 0 && model.n <= MODEL_NAME_MAX && !memchr(model.p, '/', model.n);
}

static void set_model(struct targets *targets, struct capture_state *state, struct slice model, int64_t now_us,
                      struct buf *unusable)
{
    struct target *target = find(targets, model.p);
    if (target) {
        if (!target->listed && target->due_us == TARGET_NEVER && usable(model))
            target->due_us = now_us;
        target->listed = true;
        return;
    }
    target = add(targets, CAPTURE_ANALYTICS_ONE, now_us);
    target->model = mem_strndup(model.p, model.n);
    if (!usable(model)) {
        target->due_us = TARGET_NEVER;
        buf_printf(unusable, "%s\"%s\"", unusable->len ? ", " : "", target->model);
        return;
    }
    char *segment = capture_escape(model);
    target->name = joined("analytics-", target->model, "");
    target->file = joined(target->name, ".json", "");
    target->path = joined("/api/analytics/", segment, "");
    target->entry = capture_state_entry(state, target->name);
    free(segment);
}

void targets_set_models(struct targets *targets, struct capture_state *state, struct slice bulk, int64_t now_us,
                        struct buf *unusable)
{
    struct capture_document document;
    capture_document_read(&document, CAPTURE_ANALYTICS, bulk);
    for (size_t i = 0; i < targets->count; i++)
        targets->list[i]->listed = !targets->list[i]->model;
    struct buf model = BUF_INIT;
    for (size_t i = 0; i < document.row_count; i++) {
        buf_clear(&model);
        if (!capture_text(capture_find(document.rows[i].json, "model_id"), &model))
            continue;
        (void)buf_cstr(&model);
        set_model(targets, state, buf_slice(&model), now_us, unusable);
    }
    for (size_t i = 0; i < targets->count; i++) {
        if (!targets->list[i]->listed && !targets->list[i]->open)
            targets->list[i]->due_us = TARGET_NEVER;
    }
    targets->models_known = true;
    buf_free(&model);
    capture_document_free(&document);
}

struct target *targets_next(const struct targets *targets)
{
    struct target *first = NULL;
    for (size_t i = 0; i < targets->count; i++) {
        struct target *target = targets->list[i];
        if (!target->busy && target->due_us != TARGET_NEVER && (!first || target->due_us < first->due_us))
            first = target;
    }
    return first;
}

bool targets_open(const struct targets *targets)
{
    for (size_t i = 0; i < targets->count; i++) {
        if (targets->list[i]->open)
            return true;
    }
    return false;
}
