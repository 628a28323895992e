#include "ingest/analytics_files.h"

#include "base/json_read.h"
#include "base/mem.h"
#include "ingest/canonical.h"

#include <dirent.h>
#include <stdlib.h>

static const char prefix[] = "analytics-";
static const char suffix[] = ".json";

struct slice analytics_model(const cJSON *payload)
{
    return slice_of(cJSON_GetObjectItemCaseSensitive(payload, "model_id")->valuestring);
}

static void fault(struct source *source, const char *path, const char *key, const char *what)
{
    struct arena *arena = arena_new(0);
    source_fault(source, key ? wire_path_key(arena, path, key) : path, what);
    arena_free(arena);
}

static void check_id(struct source *source, const cJSON *payload, const char *path, const char *key)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(payload, key);
    if (!value)
        fault(source, path, key, "is missing");
    else if (!cJSON_IsString(value))
        fault(source, path, key, "must be a text");
    else if (strlen(value->valuestring) == 0 || strlen(value->valuestring) > WIRE_KEY_MAX)
        fault(source, path, key, "must have between 1 and 800 bytes");
}

/* Metrics are kept as they come; only what the import itself needs, and the kinds of the members that are known, are
 * checked. */
static void check_payload(struct source *source, const cJSON *payload, const char *path)
{
    static const char *const times[] = {"updated_at", "last_trade_exit_time", "last_convo_timestamp"};
    static const char *const tables[] = {"fee_pnl_moves_breakdown_table", "winners_losers_breakdown_table",
                                         "longs_shorts_breakdown_table",  "signals_breakdown_table",
                                         "invocation_breakdown_table",    "overall_trades_overview_table"};
    if (!cJSON_IsObject(payload)) {
        fault(source, path, NULL, "must be an object (a model's analytics)");
        return;
    }
    check_id(source, payload, path, "id");
    check_id(source, payload, path, "model_id");
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(payload, times[i]);
        if (value && !cJSON_IsNumber(value) && !cJSON_IsNull(value))
            fault(source, path, times[i], "must be a number");
    }
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(payload, tables[i]);
        if (value && !cJSON_IsObject(value) && !cJSON_IsNull(value))
            fault(source, path, tables[i], "must be an object");
    }
}

/* Parses the file and takes what stands beside "analytics" into the document. NULL when it is bad. */
static cJSON *parse_file(struct source *source, struct import_document *document)
{
    if (source->faults || !source_check(source))
        return NULL;
    struct err err = ERR_INIT;
    cJSON *tree = json_parse(source->text, &err);
    if (!tree) {
        fault(source, "$", NULL, err.text);
    } else if (!cJSON_IsObject(tree)) {
        fault(source, "$", NULL, "must be an object");
    } else {
        const cJSON *member;
        cJSON_ArrayForEach(member, tree)
        {
            if (strcmp(member->string, "analytics") != 0)
                import_document_member(document, source, member->string, member);
        }
        if (!cJSON_GetObjectItemCaseSensitive(tree, "analytics"))
            fault(source, "$", "analytics", "is missing");
    }
    return tree;
}

static void tell_bad(struct import *import, const struct source *source)
{
    import->faulty = true;
    report_problem(import->report, "%s: %zu fault%s, nothing of it was imported", source->name, source->faults,
                   source->faults == 1 ? "" : "s");
}

/* Entries of the list by model: an equal one that comes again is taken out, a different one is a fault. */
static void check_doubles(struct import *import, struct source *source, cJSON *list)
{
    size_t repeats = 0;
    struct once *seen = once_new();
    cJSON *next;
    for (cJSON *entry = list->child; entry; entry = next) {
        next = entry->next;
        struct slice here = {(const char *)entry, sizeof *entry};
        struct slice first = once_add(seen, analytics_model(entry), here);
        if (first.p == here.p)
            continue;
        if (json_same_content((const cJSON *)(const void *)first.p, entry)) {
            cJSON_Delete(cJSON_DetachItemViaPointer(list, entry));
            repeats++;
        } else {
            struct arena *arena = arena_new(0);
            source_fault(source, "$.analytics",
                         arena_printf(arena, "the model \"%.200s\" comes twice with different content",
                                      analytics_model(entry).p));
            arena_free(arena);
        }
    }
    once_free(seen);
    if (repeats)
        report_line(import->report, "%s: %zu row%s came twice, stored once", source->name, repeats,
                    repeats == 1 ? "" : "s");
}

static void read_bulk(struct analytics_files *files, struct import *import)
{
    struct source source;
    source_open(&source, import->report, import->options->dir, "analytics.json");
    files->bulk_missing = source.missing;
    if (!source.missing) {
        import->found = true;
        files->bulk_tree = parse_file(&source, &files->bulk_document);
        files->bulk =
            files->bulk_tree && !source.faults ? cJSON_GetObjectItemCaseSensitive(files->bulk_tree, "analytics") : NULL;
        if (files->bulk && !cJSON_IsArray(files->bulk))
            fault(&source, "$", "analytics", "must be an array");
        size_t index = 0;
        const cJSON *entry;
        cJSON_ArrayForEach(entry, files->bulk)
        {
            struct arena *arena = arena_new(0);
            check_payload(&source, entry, wire_path_index(arena, "$.analytics", index++));
            arena_free(arena);
        }
        if (files->bulk && !source.faults)
            check_doubles(import, &source, files->bulk);
        files->bulk_good = source.faults == 0;
        if (source.faults)
            tell_bad(import, &source);
    }
    import->work_done += source.text.n;
    source_close(&source);
}

static void read_own(struct analytics_own *own, struct import *import, const char *file)
{
    struct source source;
    size_t stem = strlen(file) - strlen(suffix);
    own->name = mem_strndup(file, stem);
    own->model = mem_strndup(file + strlen(prefix), stem - strlen(prefix));
    source_open(&source, import->report, import->options->dir, file);
    import->found = true;

    struct buf quoted = BUF_INIT;
    json_put_string(&quoted, slice_of(own->model));
    if (!json_check(buf_slice(&quoted), NULL, NULL))
        fault(&source, "$", NULL, "the file's name is no UTF-8");
    buf_free(&quoted);

    own->tree = parse_file(&source, &own->document);
    cJSON *payload = own->tree && !source.faults ? cJSON_GetObjectItemCaseSensitive(own->tree, "analytics") : NULL;
    const char *path = "$.analytics";
    if (cJSON_IsArray(payload)) {
        own->in_array = true;
        path = "$.analytics[0]";
        if (cJSON_GetArraySize(payload) != 1)
            fault(&source, "$.analytics", NULL, "must hold exactly one object");
        payload = cJSON_GetArrayItem(payload, 0);
    }
    if (payload)
        check_payload(&source, payload, path);
    own->payload = payload;
    own->good = source.faults == 0;
    if (source.faults)
        tell_bad(import, &source);
    else if (!slice_is(analytics_model(payload), own->model))
        report_line(import->report, "%s: speaks of another model than its name, stored as it came", source.name);
    import->work_done += source.text.n;
    source_close(&source);
}

static int is_own_file(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return length > strlen(prefix) + strlen(suffix) && strncmp(entry->d_name, prefix, strlen(prefix)) == 0 &&
           strcmp(entry->d_name + length - strlen(suffix), suffix) == 0;
}

void analytics_files_read(struct analytics_files *files, struct import *import)
{
    *files = (struct analytics_files){0};
    read_bulk(files, import);
    struct dirent **entries = NULL;
    int count = scandir(import->options->dir, &entries, is_own_file, alphasort);
    if (count <= 0)
        return;
    files->own = mem_calloc((size_t)count, sizeof *files->own);
    files->own_count = (size_t)count;
    for (size_t i = 0; i < files->own_count; i++) {
        read_own(&files->own[i], import, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
}

void analytics_files_free(struct analytics_files *files)
{
    cJSON_Delete(files->bulk_tree);
    import_document_free(&files->bulk_document);
    for (size_t i = 0; i < files->own_count; i++) {
        struct analytics_own *own = &files->own[i];
        free(own->model);
        free(own->name);
        cJSON_Delete(own->tree);
        import_document_free(&own->document);
    }
    free(files->own);
    *files = (struct analytics_files){0};
}
