#include "base/json_read.h"
#include "base/mem.h"
#include "ingest/canonical.h"
#include "ingest/import_parts.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

void import_fault(struct import_pass *pass, const char *path, const char *format, ...)
{
    struct buf what = BUF_INIT;
    va_list arguments;
    va_start(arguments, format);
    buf_vprintf(&what, format, arguments);
    va_end(arguments);
    if (pass->walk == 0)
        source_fault(pass->source, path, buf_cstr(&what));
    buf_free(&what);
}

void import_notice(struct import_pass *pass, const char *format, ...)
{
    struct buf text = BUF_INIT;
    va_list arguments;
    va_start(arguments, format);
    buf_vprintf(&text, format, arguments);
    va_end(arguments);
    report_line(pass->import->report, "%s: %s", pass->source->name, buf_cstr(&text));
    buf_free(&text);
}

void import_count(struct import_pass *pass, const struct bulk_counts *counts)
{
    pass->counts.inserted += counts->inserted;
    pass->counts.updated += counts->updated;
    pass->counts.unchanged += counts->unchanged;
    pass->counts.left += counts->left;
}

enum import_once import_once(struct import_pass *pass, struct once *once, struct slice key, const char *path)
{
    struct slice first = once_add(once, key, pass->element);
    if (first.p == pass->element.p)
        return IMPORT_NEW;
    if (pass->walk > 0)
        return IMPORT_REPEAT; /* a clash would have ended the checking */
    if (json_same_text(first, pass->element)) {
        pass->repeats++;
        return IMPORT_REPEAT;
    }
    unsigned long line;
    unsigned long column;
    json_locate(pass->source->text, (size_t)(first.p - pass->source->text.p), &line, &column);
    import_fault(pass, path, "\"%.*s\" was there before (line %lu, column %lu) with other content",
                 (int)(key.n < 200 ? key.n : 200), key.p, line, column);
    return IMPORT_CLASH;
}

static void on_row_fault(void *arg, const char *path, const char *what)
{
    import_fault(arg, path, "%s", what);
}

/* Parses a member's key, which json_walk hands over as it is written. In the arena. */
static char *plain_key(struct import_pass *pass, struct slice key)
{
    if (!memchr(key.p, '\\', key.n))
        return arena_strndup(pass->arena, key.p, key.n);
    cJSON *text = json_parse((struct slice){key.p - 1, key.n + 2}, &pass->err);
    char *copy = text ? arena_strndup(pass->arena, text->valuestring, strlen(text->valuestring)) : NULL;
    cJSON_Delete(text);
    return copy;
}

static void show_phase(struct import_pass *pass, const char *doing)
{
    char what[120];
    (void)snprintf(what, sizeof what, "%s: %s", pass->source->name, doing);
    report_phase(pass->import->report, pass->import->work_done, what);
}

static void show_progress(struct import_pass *pass, struct slice at)
{
    static const char *const doing[] = {"checking", "loading"};
    struct import *import = pass->import;
    uint64_t walked = (uint64_t)(at.p + at.n - pass->source->text.p);
    char what[120];
    (void)snprintf(what, sizeof what, "%s: %s", pass->source->name, doing[pass->walk > 0]);
    report_progress(import->report, import->work_done + walked, what);
}

static bool take_element(struct import_pass *pass, struct slice text, const char *key, const char *path)
{
    pass->element = text;
    /* The whole file was checked, so its parts need no further look. */
    cJSON *element = cJSON_ParseWithLength(text.p, text.n);
    if (!element)
        return err_set(&pass->err, ERR_INTERNAL, "%s: the JSON parser failed on a text that was found good", path);
    bool ok = pass->kind->element(pass, element, key, path, &pass->err);
    cJSON_Delete(element);
    arena_reset(pass->arena);
    show_progress(pass, text);
    return ok;
}

static bool on_element(void *arg, size_t index, struct slice text)
{
    struct import_pass *pass = arg;
    return take_element(pass, text, NULL, arena_printf(pass->arena, "$.%s[%zu]", pass->kind->list_key, index));
}

static bool on_map_member(void *arg, struct slice key, struct slice value)
{
    struct import_pass *pass = arg;
    char *name = plain_key(pass, key);
    return name &&
           take_element(pass, value, name,
                        wire_path_key(pass->arena, arena_printf(pass->arena, "$.%s", pass->kind->list_key), name));
}

static bool take_member(struct import_pass *pass, const char *key, struct slice value)
{
    const struct import_kind *kind = pass->kind;
    bool is_list = strcmp(key, kind->list_key) == 0;
    if (is_list && value.n > 0 && *value.p == (kind->is_map ? '{' : '[')) {
        pass->document.list_seen = true;
        return kind->is_map ? json_walk_object(value, on_map_member, pass) : json_walk_array(value, on_element, pass);
    }
    if (pass->walk > 0)
        return true;
    if (is_list) {
        pass->document.list_seen = true;
        import_fault(pass, arena_printf(pass->arena, "$.%s", key), "must be %s",
                     kind->is_map ? "an object" : "an array");
        return true;
    }
    cJSON *tree = json_parse(value, &pass->err);
    if (!tree)
        return false;
    import_document_member(&pass->document, pass->source, key, tree);
    cJSON_Delete(tree);
    return true;
}

static bool on_member(void *arg, struct slice key, struct slice value)
{
    struct import_pass *pass = arg;
    char *name = plain_key(pass, key);
    bool ok = name && take_member(pass, name, value);
    arena_reset(pass->arena);
    return ok;
}

/* One walk over the whole file. False when it was stopped, with pass->err filled. */
static bool walk_file(struct import_pass *pass)
{
    pass->reader.checking = pass->walk == 0;
    feed_order_free(&pass->order);
    pass->order = (struct feed_order)FEED_ORDER_INIT;
    bool ok = json_walk_object(pass->source->text, on_member, pass);
    if (!ok && pass->err.code == ERR_NONE) {
        import_fault(pass, "$", "must be an object");
        return true;
    }
    if (ok && pass->walk == 0 && !pass->document.list_seen)
        import_fault(pass, wire_path_key(pass->arena, "$", pass->kind->list_key), "is missing");
    pass->import->work_done += pass->source->text.n;
    arena_reset(pass->arena);
    return ok;
}

/* What the kind holds while it loads belongs to the transaction, so this comes before its end. */
static void drop_state(struct import_pass *pass)
{
    if (pass->kind->release && pass->state)
        pass->kind->release(pass);
    bulk_free(pass->bulk);
    pass->bulk = NULL;
    free(pass->state);
    pass->state = NULL;
}

static void start_state(struct import_pass *pass)
{
    drop_state(pass);
    pass->state = mem_zalloc(pass->kind->state_size + 1);
}

static bool check(struct import_pass *pass)
{
    start_state(pass);
    show_phase(pass, "reading");
    return source_check(pass->source) && walk_file(pass) && pass->source->faults == 0;
}

static bool begin_rows(struct import_pass *pass, struct err *err)
{
    if (!pass->kind->table)
        return pass->kind->begin(pass, err);
    pass->bulk = bulk_begin(pass->import->session, pass->kind->table, err);
    return pass->bulk != NULL;
}

static bool end_rows(struct import_pass *pass, struct err *err)
{
    if (!pass->kind->table)
        return pass->kind->end(pass, err);
    struct bulk_counts counts;
    if (!bulk_merge(pass->bulk, BULK_LEAVE_FEED, &counts, err))
        return false;
    import_count(pass, &counts);
    return true;
}

static bool load(struct import_pass *pass, struct err *err)
{
    struct import *import = pass->import;
    start_state(pass);
    bool ok = import_begin(import, err) && import_store_names(import, &pass->models, &pass->symbols, err) &&
              begin_rows(pass, err);
    for (int walk = 1; ok && walk <= pass->kind->load_walks; walk++) {
        pass->walk = walk;
        ok = walk_file(pass);
        if (!ok)
            *err = pass->err;
        show_phase(pass, "merging");
        ok = ok && end_rows(pass, err);
    }
    bool changed = pass->counts.inserted + pass->counts.updated + pass->counts.left + pass->removed > 0;
    ok = ok && import_document_store(import, pass->kind->name, "object", &pass->document, changed, err);
    drop_state(pass);
    return ok && session_commit(import->session, err) && import_committed(import, pass->kind->name, err);
}

static void tell_counts(struct import_pass *pass)
{
    const struct bulk_counts *counts = &pass->counts;
    struct buf line = BUF_INIT;
    int64_t rows = counts->inserted + counts->updated + counts->unchanged;
    buf_printf(&line, "%s: %" PRId64 " row%s: %" PRId64 " new, %" PRId64 " changed, %" PRId64 " unchanged",
               pass->source->name, rows, rows == 1 ? "" : "s", counts->inserted, counts->updated, counts->unchanged);
    if (counts->left + pass->removed > 0)
        buf_printf(&line, ", %" PRId64 " no longer there", counts->left + pass->removed);
    report_line(pass->import->report, "%s", buf_cstr(&line));
    buf_free(&line);
}

static void start_pass(struct import_pass *pass, struct import *import, const struct import_kind *kind,
                       struct source *source)
{
    *pass = (struct import_pass){.import = import,
                                 .kind = kind,
                                 .source = source,
                                 .arena = arena_new(0),
                                 .ids = once_new(),
                                 .seconds = once_new(),
                                 .order = FEED_ORDER_INIT};
    pass->reader = (struct wire_reader){.arena = pass->arena, .on_fault = on_row_fault, .arg = pass};
    names_start(&pass->models);
    names_start(&pass->symbols);
}

static void stop_pass(struct import_pass *pass)
{
    drop_state(pass);
    import_document_free(&pass->document);
    names_stop(&pass->models);
    names_stop(&pass->symbols);
    feed_order_free(&pass->order);
    once_free(pass->ids);
    once_free(pass->seconds);
    arena_free(pass->arena);
}

bool import_list(struct import *import, const struct import_kind *kind, struct err *err)
{
    struct source source;
    struct import_pass pass;
    char *name = NULL;
    bool ok = true;
    if (asprintf(&name, "%s.json", kind->name) < 0)
        return err_set(err, ERR_INTERNAL, "out of memory");
    source_open(&source, import->report, import->options->dir, name);
    free(name);
    start_pass(&pass, import, kind, &source);
    import->found = import->found || !source.missing;
    if (source.missing) {
        report_line(import->report, "%s: not there, its rows stay as they are", source.name);
    } else if (source.faults || !check(&pass)) {
        if (!source.faults)
            ok = err_set(err, ERR_INTERNAL, "%s: %s", source.name, pass.err.text);
        import->faulty = true;
        report_problem(import->report, "%s: %zu fault%s, nothing of it was imported", source.name, source.faults,
                       source.faults == 1 ? "" : "s");
    } else {
        if (pass.repeats)
            import_notice(&pass, "%zu row%s came twice, stored once", pass.repeats, pass.repeats == 1 ? "" : "s");
        if (kind->checked)
            kind->checked(&pass);
        ok = load(&pass, err) || import_load_failed(import, &source, err);
        if (ok && !source.faults) {
            tell_counts(&pass);
            import->holdings_loaded |= kind == &import_positions || kind == &import_account_totals;
        }
    }
    stop_pass(&pass);
    source_close(&source);
    return ok;
}
