/* Legacy files, read by the server's own loader: what it would answer, so that a captured analytics-grok-4.json, which
 * holds a list of one, counts as the object that the API gives. */
#include "base/clock.h"
#include "base/mem.h"
#include "cli/parity_rows.h"
#include "cli/parity_source.h"
#include "ingest/capture_document.h"
#include "server/legacy_documents.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct files {
    struct parity_source source;
    char *dir;
    struct legacy_set *set; /* of the last look; NULL before the first */
};

static bool can_open(const char *dir, struct err *err)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, errno, "%s", dir);
    (void)close(fd);
    return true;
}

static bool any_stale(const struct legacy_set *set)
{
    size_t count;
    const struct legacy_file_state *states = legacy_set_files(set, &count);
    for (size_t i = 0; i < count; i++) {
        if (states[i].state == LEGACY_STALE)
            return true;
    }
    return false;
}

/* The set before spares unchanged files the parsing; but a file that was good once and is bad or gone now counts as
 * what it is now. */
static bool look(struct parity_source *source, struct err *err)
{
    struct files *files = (struct files *)(void *)source;
    if (!can_open(files->dir, err))
        return false;
    struct legacy_set *set = legacy_set_load(files->dir, files->set);
    legacy_set_unref(files->set);
    files->set = set;
    if (any_stale(set)) {
        files->set = legacy_set_load(files->dir, NULL);
        legacy_set_unref(set);
    }
    return true;
}

static const struct legacy_file_state *state_of(const struct files *files, const char *name)
{
    size_t count;
    const struct legacy_file_state *states = legacy_set_files(files->set, &count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(states[i].name, name) == 0)
            return &states[i];
    }
    return NULL;
}

/* The file that answers: the endpoint's, or the model's own, or else the list of all models. */
static const struct legacy_file_state *answering(const struct files *files, const struct endpoint *endpoint,
                                                 struct slice model)
{
    struct buf name = BUF_INIT;
    const struct legacy_file_state *state = NULL;
    if (endpoint->kind == READ_ANALYTICS_ONE) {
        buf_printf(&name, "analytics-%.*s.json", SLICE_ARG(model));
        state = state_of(files, buf_cstr(&name));
    }
    if (!state || state->state == LEGACY_MISSING) {
        buf_clear(&name);
        enum read_kind kind = endpoint->kind == READ_ANALYTICS_ONE ? READ_ANALYTICS_ALL : endpoint->kind;
        buf_printf(&name, "%s.json", capture_kinds[parity_rows_places[kind].captured].name);
        state = state_of(files, buf_cstr(&name));
    }
    buf_free(&name);
    return state;
}

static bool read_document(struct parity_source *source, const struct endpoint *endpoint, struct slice model,
                          struct buf *json, struct err *err)
{
    struct files *files = (struct files *)(void *)source;
    const struct legacy_file_state *state = answering(files, endpoint, model);
    if (!state || state->state == LEGACY_MISSING)
        return true;
    if (state->state != LEGACY_GOOD)
        return err_set(err, ERR_INVALID, "%s", state->fault);

    struct read_query query = {
        .kind = endpoint->kind, .limit = endpoint_default_limit(endpoint->kind), .model_id = model};
    struct legacy_answer answer;
    struct buf scratch = BUF_INIT;
    bool good = legacy_set_answer(files->set, &query, &scratch, &answer, err);
    if (good) {
        char tail[DOCUMENT_TAIL_SIZE];
        struct document *document = document_new((struct document_body){answer.json, NULL, NULL},
                                                 legacy_documents_tail(endpoint->kind, &answer));
        buf_append_slice(json, answer.json);
        buf_append(json, tail, document_tail(document, clock_wall_ms(), tail));
        document_unref(document);
    }
    buf_free(&scratch);
    return good;
}

static bool models(struct parity_source *source, struct name_set *names, struct err *err)
{
    const struct files *files = (const struct files *)(const void *)source;
    static const char prefix[] = "analytics-";
    static const char suffix[] = ".json";
    struct buf list = BUF_INIT;
    bool good = read_document(source, &endpoints[READ_ANALYTICS_ALL], (struct slice){NULL, 0}, &list, err);
    if (good)
        parity_rows_models(READ_ANALYTICS_ALL, buf_slice(&list), names);
    buf_free(&list);

    size_t count;
    const struct legacy_file_state *states = legacy_set_files(files->set, &count);
    for (size_t i = 0; i < count; i++) {
        struct slice name = slice_of(states[i].name);
        if (name.n <= strlen(prefix) + strlen(suffix) || memcmp(name.p, prefix, strlen(prefix)) != 0)
            continue;
        name_set_add(names, (struct slice){name.p + strlen(prefix), name.n - strlen(prefix) - strlen(suffix)});
    }
    return good;
}

static void close_files(struct parity_source *source)
{
    struct files *files = (struct files *)(void *)source;
    legacy_set_unref(files->set);
    free(files->dir);
    free(files);
}

struct parity_source *parity_source_files(enum parity_source_kind kind, const char *dir, struct err *err)
{
    static const struct parity_source_ops ops = {look, models, read_document, close_files};
    if (!can_open(dir, err)) {
        if (kind == PARITY_FROM_LEGACY)
            err_wrap(err, "legacy");
        return NULL;
    }
    const char *name = kind == PARITY_FROM_LEGACY ? "legacy" : dir;
    struct files *files = mem_zalloc(sizeof *files);
    files->source = (struct parity_source){&ops, kind, mem_strndup(name, strlen(name))};
    files->dir = mem_strndup(dir, strlen(dir));
    return &files->source;
}
