#include "server/legacy_documents.h"

#include "base/mem.h"
#include "server/endpoints.h"

#include <stdatomic.h>
#include <stdlib.h>

struct entry {
    enum read_kind kind;
    uint64_t version;
    struct document *document;
};

struct legacy_documents {
    atomic_size_t references;
    struct legacy_set *set;
    size_t count;
    struct entry *entries; /* by kind, then version */
};

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return (x->version > y->version) - (x->version < y->version);
}

static struct entry *find_entry(const struct legacy_documents *documents, enum read_kind kind, uint64_t version)
{
    struct entry wanted = {kind, version, NULL};
    if (documents->count == 0)
        return NULL;
    return bsearch(&wanted, documents->entries, documents->count, sizeof wanted, compare_entries);
}

struct document_tail legacy_documents_tail(enum read_kind kind, const struct legacy_answer *answer)
{
    switch (endpoints[kind].time) {
    case ENDPOINT_TIME_NONE:
        break;
    case ENDPOINT_TIME_FILE:
        if (answer->has_server_time)
            return (struct document_tail){DOCUMENT_TAIL_FIXED, answer->server_time_ms};
        return (struct document_tail){DOCUMENT_TAIL_LIVE, 0};
    case ENDPOINT_TIME_LIVE:
        return (struct document_tail){DOCUMENT_TAIL_LIVE, 0};
    }
    return (struct document_tail){DOCUMENT_TAIL_END, 0};
}

static void release_set(void *set)
{
    legacy_set_unref(set);
}

static void add_document(struct legacy_documents *documents, const struct read_query *query,
                         const struct legacy_documents *previous, const struct settings *settings)
{
    struct buf scratch = BUF_INIT;
    struct legacy_answer answer;
    if (!legacy_set_answer(documents->set, query, &scratch, &answer, NULL) || answer.version == 0)
        goto out;

    struct document_body body = {answer.json, release_set, legacy_set_ref(documents->set)};
    struct document_tail tail = legacy_documents_tail(query->kind, &answer);
    struct entry *same = previous ? find_entry(previous, query->kind, answer.version) : NULL;
    struct document *document = same ? document_new_same(same->document, body, tail) : document_new(body, tail);
    if (settings->compression_enabled && !document_is_compressed(document) &&
        (int64_t)answer.json.n >= settings->compression_min_bytes)
        document_compress(document, (int)settings->compression_level);
    documents->entries = mem_realloc(documents->entries, (documents->count + 1) * sizeof documents->entries[0]);
    documents->entries[documents->count++] = (struct entry){query->kind, answer.version, document};
out:
    buf_free(&scratch);
}

/* "analytics-gpt-5.json" -> "gpt-5"; empty for other names. */
static struct slice model_of_file(const char *name)
{
    static const char prefix[] = "analytics-";
    static const char suffix[] = ".json";
    struct slice s = slice_of(name);
    size_t around = sizeof prefix - 1 + sizeof suffix - 1;
    if (s.n <= around || strncmp(name, prefix, sizeof prefix - 1) != 0 ||
        strcmp(name + s.n - (sizeof suffix - 1), suffix) != 0)
        return (struct slice){NULL, 0};
    return (struct slice){name + sizeof prefix - 1, s.n - around};
}

struct legacy_documents *legacy_documents_new(struct legacy_set *set, const struct legacy_documents *previous,
                                              const struct settings *settings)
{
    struct legacy_documents *documents = mem_zalloc(sizeof *documents);
    atomic_init(&documents->references, 1);
    documents->set = set;
    for (size_t i = 0; i < READ_KIND_COUNT; i++) {
        if (endpoints[i].kind == READ_ANALYTICS_ONE)
            continue;
        struct read_query query = {.kind = endpoints[i].kind, .limit = READ_NO_LIMIT};
        add_document(documents, &query, previous, settings);
    }
    size_t file_count = 0;
    const struct legacy_file_state *files = legacy_set_files(set, &file_count);
    for (size_t i = 0; i < file_count; i++) {
        struct read_query query = {
            .kind = READ_ANALYTICS_ONE, .limit = READ_NO_LIMIT, .model_id = model_of_file(files[i].name)};
        if (query.model_id.n)
            add_document(documents, &query, previous, settings);
    }
    if (documents->count)
        qsort(documents->entries, documents->count, sizeof documents->entries[0], compare_entries);
    return documents;
}

struct legacy_documents *legacy_documents_ref(struct legacy_documents *documents)
{
    (void)atomic_fetch_add_explicit(&documents->references, 1, memory_order_relaxed);
    return documents;
}

void legacy_documents_unref(struct legacy_documents *documents)
{
    if (!documents || atomic_fetch_sub_explicit(&documents->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < documents->count; i++)
        document_unref(documents->entries[i].document);
    free(documents->entries);
    legacy_set_unref(documents->set);
    free(documents);
}

struct legacy_set *legacy_documents_set(const struct legacy_documents *documents)
{
    return documents->set;
}

struct document *legacy_documents_answer(const struct legacy_documents *documents, const struct read_query *query,
                                         bool *whole, struct err *err)
{
    struct buf scratch = BUF_INIT;
    struct legacy_answer answer;
    struct document *document = NULL;
    if (!legacy_set_answer(documents->set, query, &scratch, &answer, err))
        goto out;
    struct entry *entry = answer.version ? find_entry(documents, query->kind, answer.version) : NULL;
    if (whole)
        *whole = entry != NULL;
    if (entry) {
        document = document_ref(entry->document);
        goto out;
    }
    if (answer.json.p != scratch.data) {
        buf_clear(&scratch);
        buf_append_slice(&scratch, answer.json);
    }
    size_t n = 0;
    char *bytes = buf_take(&scratch, &n);
    document =
        document_new((struct document_body){{bytes, n}, free, bytes}, legacy_documents_tail(query->kind, &answer));
out:
    buf_free(&scratch);
    return document;
}
