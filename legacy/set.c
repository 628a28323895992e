#include "legacy/set.h"

#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static const char model_prefix[] = "analytics-";
static const char suffix[] = ".json";

struct legacy_set {
    atomic_size_t references;
    struct legacy_file **files;       /* by name */
    struct legacy_file_state *states; /* in the same order */
    size_t count;
    const struct legacy_file *by_kind[READ_KIND_COUNT]; /* NULL for READ_ANALYTICS_ONE */
    uint64_t last_version;                              /* given to a content of this set or of one before it */
};

/* The model that a file's name speaks of; p is NULL when it is no per-model file. */
static struct slice model_of(const char *name)
{
    struct slice rest = slice_of(name);
    size_t prefix_len = sizeof model_prefix - 1;
    size_t suffix_len = sizeof suffix - 1;
    if (rest.n <= prefix_len + suffix_len || memcmp(name, model_prefix, prefix_len) != 0 ||
        memcmp(name + rest.n - suffix_len, suffix, suffix_len) != 0)
        return (struct slice){NULL, 0};
    return (struct slice){name + prefix_len, rest.n - prefix_len - suffix_len};
}

struct names {
    char **list;
    size_t count;
    size_t capacity;
};

static void names_add(struct names *names, const char *name)
{
    if (names->count == names->capacity) {
        names->capacity = names->capacity ? 2 * names->capacity : 32;
        names->list = mem_realloc(names->list, names->capacity * sizeof *names->list);
    }
    names->list[names->count++] = mem_strndup(name, strlen(name));
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void names_sort_once_each(struct names *names)
{
    qsort(names->list, names->count, sizeof *names->list, compare_names);
    size_t kept = 0;
    for (size_t i = 0; i < names->count; i++) {
        if (kept > 0 && strcmp(names->list[kept - 1], names->list[i]) == 0)
            free(names->list[i]);
        else
            names->list[kept++] = names->list[i];
    }
    names->count = kept;
}

static void names_free(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->list[i]);
    free(names->list);
}

/* The per-model files that are there, and those that were good once. */
static void add_model_names(struct names *names, const struct legacy_folder *folder, const struct legacy_set *previous)
{
    int fd = folder->fd >= 0 ? openat(folder->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir) {
        for (struct dirent *entry; (entry = readdir(dir));) {
            if (model_of(entry->d_name).p)
                names_add(names, entry->d_name);
        }
        (void)closedir(dir);
    } else if (fd >= 0) {
        (void)close(fd);
    }
    for (size_t i = 0; previous && i < previous->count; i++) {
        if (previous->files[i]->kind == READ_ANALYTICS_ONE && previous->files[i]->content)
            names_add(names, previous->files[i]->state.name);
    }
}

static struct legacy_file *find(const struct legacy_set *set, const char *name)
{
    size_t low = 0;
    size_t high = set ? set->count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, set->files[middle]->state.name);
        if (order == 0)
            return set->files[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static enum read_kind kind_of(const char *name)
{
    for (int kind = 0; kind < READ_KIND_COUNT; kind++) {
        if (legacy_kinds[kind].name && strcmp(legacy_kinds[kind].name, name) == 0)
            return (enum read_kind)kind;
    }
    return READ_ANALYTICS_ONE;
}

struct legacy_set *legacy_set_load(const char *dir, struct legacy_set *previous)
{
    struct legacy_folder folder = {.fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (folder.fd < 0)
        folder.error = errno;

    struct names names = {0};
    for (int kind = 0; kind < READ_KIND_COUNT; kind++) {
        if (legacy_kinds[kind].name)
            names_add(&names, legacy_kinds[kind].name);
    }
    add_model_names(&names, &folder, previous);
    names_sort_once_each(&names);

    struct legacy_set *set = mem_zalloc(sizeof *set);
    atomic_init(&set->references, 1);
    set->last_version = previous ? previous->last_version : 0;
    set->files = mem_calloc(names.count, sizeof(struct legacy_file *));
    set->states = mem_calloc(names.count, sizeof *set->states);
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.list[i];
        enum read_kind kind = kind_of(name);
        struct legacy_file *file = legacy_file_look(&folder, name, kind, find(previous, name), &set->last_version);
        set->files[i] = file;
        set->states[i] = file->state;
        if (kind != READ_ANALYTICS_ONE)
            set->by_kind[kind] = file;
    }
    set->count = names.count;
    names_free(&names);
    if (folder.fd >= 0)
        (void)close(folder.fd);
    return set;
}

struct legacy_set *legacy_set_ref(struct legacy_set *set)
{
    atomic_fetch_add_explicit(&set->references, 1, memory_order_relaxed);
    return set;
}

void legacy_set_unref(struct legacy_set *set)
{
    if (!set || atomic_fetch_sub_explicit(&set->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < set->count; i++)
        legacy_file_unref(set->files[i]);
    free((void *)set->files);
    free(set->states);
    free(set);
}

const struct legacy_file_state *legacy_set_files(const struct legacy_set *set, size_t *count)
{
    *count = set->count;
    return set->states;
}

const struct legacy_file *legacy_set_file(const struct legacy_set *set, enum read_kind kind)
{
    return set->by_kind[kind];
}

const struct legacy_file *legacy_set_model_file(const struct legacy_set *set, struct slice model_id)
{
    struct buf name = BUF_INIT;
    buf_append_str(&name, model_prefix);
    buf_append_slice(&name, model_id);
    buf_append_str(&name, suffix);
    const struct legacy_file *file = model_id.n ? find(set, buf_cstr(&name)) : NULL;
    buf_free(&name);
    return file && file->kind == READ_ANALYTICS_ONE ? file : NULL;
}

bool legacy_set_same(const struct legacy_set *a, const struct legacy_set *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (!legacy_file_same(a->files[i], b->files[i]))
            return false;
    }
    return true;
}
