#include "ingest/capture_state.h"

#include "base/file.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "ingest/digest.h"
#include "legacy/file.h"
#include "legacy/writer.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char state_name[] = ".capture.json";

struct capture_state {
    char *dir;
    char *from;
    char *database; /* NULL: none */
    struct capture_entry **entries;
    size_t count;
    bool changed;
};

static char *copy(const char *text)
{
    return text ? mem_strndup(text, strlen(text)) : NULL;
}

static void replace(char **text, const char *with)
{
    char *fresh = copy(with);
    free(*text);
    *text = fresh;
}

bool capture_read_file(const char *dir, const char *name, struct buf *bytes, struct err *err)
{
    struct buf path = BUF_INIT;
    buf_printf(&path, "%s/%s", dir, name);
    bool good = file_read(buf_cstr(&path), (size_t)LEGACY_FILE_MAX, bytes, err);
    buf_free(&path);
    return good;
}

static char *digest(struct slice bytes)
{
    struct arena *arena = arena_new(0);
    struct slice hex = digest_hex(arena, bytes);
    char *text = mem_strndup(hex.p, hex.n);
    arena_free(arena);
    return text;
}

/* What the system says of the file now. */
static bool look(const struct capture_state *state, const char *name, struct stat *status)
{
    struct buf path = BUF_INIT;
    buf_printf(&path, "%s/%s.json", state->dir, name);
    bool found = stat(buf_cstr(&path), status) == 0;
    buf_free(&path);
    return found;
}

static void sign(const struct capture_state *state, struct capture_entry *entry)
{
    const int64_t ns_per_s = 1000000000;
    struct stat status = {0};
    (void)look(state, entry->name, &status);
    entry->size = status.st_size;
    entry->mtime_ns = status.st_mtim.tv_sec * ns_per_s + status.st_mtim.tv_nsec;
    entry->inode = status.st_ino;
}

static void forget(struct capture_state *state, struct capture_entry *entry)
{
    state->changed = state->changed || entry->digest;
    replace(&entry->path, NULL);
    replace(&entry->etag, NULL);
    replace(&entry->last_modified, NULL);
    replace(&entry->digest, NULL);
    entry->ingested = false;
}

static void entry_free(struct capture_entry *entry)
{
    free(entry->name);
    free(entry->path);
    free(entry->etag);
    free(entry->last_modified);
    free(entry->digest);
    free(entry);
}

static struct capture_entry *find(const struct capture_state *state, const char *name)
{
    for (size_t i = 0; i < state->count; i++) {
        if (strcmp(state->entries[i]->name, name) == 0)
            return state->entries[i];
    }
    return NULL;
}

static struct capture_entry *add(struct capture_state *state, const char *name)
{
    struct capture_entry *entry = mem_zalloc(sizeof *entry);
    entry->name = copy(name);
    state->entries = mem_realloc(state->entries, (state->count + 1) * sizeof(struct capture_entry *));
    state->entries[state->count++] = entry;
    return entry;
}

static const char *text_of(const cJSON *object, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

static void read_entries(struct capture_state *state, const cJSON *tree)
{
    const char *from = text_of(tree, "from");
    const char *database = text_of(tree, "database");
    bool same_site = from && strcmp(from, state->from) == 0;
    bool same_database = database && (!state->database || strcmp(database, state->database) == 0);
    if (same_database)
        replace(&state->database, database);
    const cJSON *files = cJSON_GetObjectItemCaseSensitive(tree, "files");
    const cJSON *file;
    cJSON_ArrayForEach(file, files)
    {
        if (!file->string || find(state, file->string) || !text_of(file, "sha256"))
            continue;
        struct capture_entry *entry = add(state, file->string);
        replace(&entry->digest, text_of(file, "sha256"));
        entry->ingested = same_database && cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(file, "ingested"));
        if (!same_site)
            continue;
        replace(&entry->path, text_of(file, "path"));
        replace(&entry->etag, text_of(file, "etag"));
        replace(&entry->last_modified, text_of(file, "last_modified"));
    }
}

/* Holds an entry that was read against the file's bytes. */
static void verify(struct capture_state *state, struct capture_entry *entry)
{
    struct buf name = BUF_INIT;
    struct buf bytes = BUF_INIT;
    struct err ignored = ERR_INIT;
    buf_printf(&name, "%s.json", entry->name);
    sign(state, entry);
    char *found = capture_read_file(state->dir, buf_cstr(&name), &bytes, &ignored) ? digest(buf_slice(&bytes)) : NULL;
    if (!found || strcmp(found, entry->digest) != 0)
        forget(state, entry);
    free(found);
    buf_free(&bytes);
    buf_free(&name);
}

struct capture_state *capture_state_load(const char *dir, const char *from, const char *database)
{
    struct capture_state *state = mem_zalloc(sizeof *state);
    state->dir = copy(dir);
    state->from = copy(from);
    state->database = copy(database);
    struct buf text = BUF_INIT;
    struct err ignored = ERR_INIT;
    if (capture_read_file(dir, state_name, &text, &ignored)) {
        cJSON *tree = json_parse(buf_slice(&text), &ignored);
        read_entries(state, tree);
        cJSON_Delete(tree);
    }
    buf_free(&text);
    for (size_t i = 0; i < state->count; i++)
        verify(state, state->entries[i]);
    return state;
}

void capture_state_free(struct capture_state *state)
{
    if (!state)
        return;
    for (size_t i = 0; i < state->count; i++)
        entry_free(state->entries[i]);
    free(state->entries);
    free(state->dir);
    free(state->from);
    free(state->database);
    free(state);
}

struct capture_entry *capture_state_entry(struct capture_state *state, const char *name)
{
    struct capture_entry *entry = find(state, name);
    return entry ? entry : add(state, name);
}

bool capture_entry_holds(struct capture_state *state, struct capture_entry *entry)
{
    struct capture_entry now = {.name = entry->name};
    sign(state, &now);
    bool holds =
        entry->digest && now.inode == entry->inode && now.size == entry->size && now.mtime_ns == entry->mtime_ns;
    if (!holds)
        forget(state, entry);
    return holds;
}

void capture_entry_written(struct capture_state *state, struct capture_entry *entry, struct slice bytes, bool ingested)
{
    forget(state, entry);
    entry->digest = digest(bytes);
    entry->ingested = ingested;
    sign(state, entry);
    state->changed = true;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : !a && !b;
}

void capture_entry_validators(struct capture_state *state, struct capture_entry *entry, const char *path,
                              const char *etag, const char *last_modified)
{
    if (!etag && !last_modified)
        path = NULL;
    if (same_text(path, entry->path) && same_text(etag, entry->etag) && same_text(last_modified, entry->last_modified))
        return;
    replace(&entry->path, path);
    replace(&entry->etag, etag);
    replace(&entry->last_modified, last_modified);
    state->changed = true;
}

void capture_entry_ingested(struct capture_state *state, struct capture_entry *entry, bool ingested)
{
    state->changed = state->changed || entry->ingested != ingested;
    entry->ingested = ingested;
}

static void put_text(struct json_writer *w, struct slice key, const char *text)
{
    if (!text)
        return;
    json_key(w, key);
    json_string(w, slice_of(text));
}

bool capture_state_save(struct capture_state *state, struct err *err)
{
    if (!state->changed)
        return true;
    struct buf text = BUF_INIT;
    struct json_writer w = json_writer_on(&text);
    json_begin_object(&w);
    put_text(&w, SLICE("from"), state->from);
    put_text(&w, SLICE("database"), state->database);
    json_key(&w, SLICE("files"));
    json_begin_object(&w);
    for (size_t i = 0; i < state->count; i++) {
        const struct capture_entry *entry = state->entries[i];
        if (!entry->digest)
            continue;
        json_key(&w, slice_of(entry->name));
        json_begin_object(&w);
        put_text(&w, SLICE("sha256"), entry->digest);
        put_text(&w, SLICE("path"), entry->path);
        put_text(&w, SLICE("etag"), entry->etag);
        put_text(&w, SLICE("last_modified"), entry->last_modified);
        json_key(&w, SLICE("ingested"));
        json_bool(&w, entry->ingested);
        json_end_object(&w);
    }
    json_end_object(&w);
    json_end_object(&w);
    buf_append_char(&text, '\n');
    bool saved = legacy_write_file(state->dir, state_name, buf_slice(&text), err);
    state->changed = !saved;
    buf_free(&text);
    return saved;
}
