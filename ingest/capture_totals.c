#include "ingest/capture_totals.h"

#include "base/json_read.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/num.h"
#include "ingest/capture_document.h"
#include "ingest/once.h"

#include <stdlib.h>

struct row {
    struct slice json;
    struct slice id; /* with its quotes; p == NULL: none */
    struct slice model;
    double timestamp;
    int64_t marker;
    bool timed;
    bool marked;
    size_t place; /* breaks ties of time */
};

static bool each_member(void *arg, struct slice key, struct slice value)
{
    struct row *row = arg;
    if (slice_is(key, "id"))
        row->id = value;
    else if (slice_is(key, "model_id"))
        row->model = value;
    else if (slice_is(key, "timestamp"))
        row->timed = num_parse_double(value, &row->timestamp);
    else if (slice_is(key, "since_inception_hourly_marker"))
        row->marked = num_parse_i64(value, &row->marker);
    return true;
}

/* The document's rows; *whole says that none lacks what parts need. */
static struct row *read_rows(const struct capture_document *document, bool *whole)
{
    struct row *rows = mem_calloc(document->row_count + 1, sizeof *rows);
    *whole = document->row_count > 0;
    for (size_t i = 0; i < document->row_count; i++) {
        struct row *row = &rows[i];
        row->json = document->rows[i].json;
        row->place = i;
        (void)json_walk_object(row->json, each_member, row);
        *whole = *whole && row->id.p && row->model.p && row->timed && row->marked;
    }
    return rows;
}

static int by_model_and_hour(const void *left, const void *right)
{
    const struct row *a = left;
    const struct row *b = right;
    int order = slice_compare(a->model, b->model);
    return order ? order : (a->marker > b->marker) - (a->marker < b->marker);
}

static bool goes_first(const struct row *a, const struct row *b)
{
    return a->timestamp != b->timestamp ? a->timestamp < b->timestamp : a->place < b->place;
}

bool capture_totals_markers(struct slice full, struct capture_markers *markers)
{
    struct capture_document document;
    capture_document_read(&document, CAPTURE_ACCOUNT_TOTALS, full);
    size_t count = document.row_count;
    bool whole;
    struct row *rows = read_rows(&document, &whole);
    struct once *ids = once_new();
    for (size_t i = 0; whole && i < count; i++)
        whole = once_add(ids, rows[i].id, rows[i].json).p == rows[i].json.p;
    once_free(ids);
    if (whole) {
        qsort(rows, count, sizeof *rows, by_model_and_hour);
        *markers = (struct capture_markers){.from = INT64_MAX, .highest = 0};
        for (size_t i = 0; i < count; i++) {
            if (i + 1 < count && slice_equal(rows[i].model, rows[i + 1].model))
                continue;
            markers->from = rows[i].marker < markers->from ? rows[i].marker : markers->from;
            markers->highest = rows[i].marker > markers->highest ? rows[i].marker : markers->highest;
        }
        whole = markers->from >= 0;
    }
    free(rows);
    capture_document_free(&document);
    return whole;
}

static void put_merged(const struct capture_document *part, const struct row *rows, size_t count, struct buf *out)
{
    struct json_writer w = json_writer_on(out);
    json_begin_object(&w);
    json_key(&w, slice_of(capture_kinds[CAPTURE_ACCOUNT_TOTALS].rows_key));
    json_begin_array(&w);
    for (size_t i = 0; i < count; i++)
        json_raw(&w, rows[i].json);
    json_end_array(&w);
    for (size_t i = 0; i < part->other_count; i++) {
        struct buf key = BUF_INIT;
        json_unescape(&key, part->others[i].key);
        json_key(&w, buf_slice(&key));
        json_raw(&w, part->others[i].json);
        buf_free(&key);
    }
    if (part->has_server_time) {
        json_key(&w, SLICE("serverTime"));
        json_i64(&w, part->server_time_ms);
    }
    json_end_object(&w);
}

/* Gives rows that came the places that they had in the old list (ids tell), new ones places behind it. */
static void find_places(const struct row *old, size_t old_count, struct row *fresh, size_t fresh_count)
{
    struct once *ids = once_new();
    /* `where` carries the place as its length; nobody looks at its bytes. */
    for (size_t i = 0; i < old_count; i++)
        (void)once_add(ids, old[i].id, (struct slice){old[i].json.p, i});
    for (size_t i = 0; i < fresh_count; i++)
        fresh[i].place = once_add(ids, fresh[i].id, (struct slice){fresh[i].json.p, old_count + i}).n;
    once_free(ids);
}

/* Fills merged with the rows that stay and those that came, each in its own order; returns how many. */
static size_t merge(const struct row *old, size_t old_count, struct row *fresh, size_t fresh_count, int64_t from,
                    struct row *merged)
{
    find_places(old, old_count, fresh, fresh_count);
    struct once *came = once_new();
    for (size_t i = 0; i < fresh_count; i++)
        (void)once_add(came, fresh[i].id, fresh[i].json);
    size_t count = 0;
    size_t taken = 0;
    for (size_t i = 0; i < old_count; i++) {
        if (old[i].marker >= from || once_add(came, old[i].id, old[i].json).p != old[i].json.p)
            continue;
        while (taken < fresh_count && goes_first(&fresh[taken], &old[i]))
            merged[count++] = fresh[taken++];
        merged[count++] = old[i];
    }
    while (taken < fresh_count)
        merged[count++] = fresh[taken++];
    once_free(came);
    return count;
}

enum capture_totals capture_totals_merge(struct slice full, struct slice part, int64_t from, struct buf *out)
{
    struct capture_document old;
    struct capture_document fresh;
    capture_document_read(&old, CAPTURE_ACCOUNT_TOTALS, full);
    capture_document_read(&fresh, CAPTURE_ACCOUNT_TOTALS, part);
    bool old_whole;
    bool fresh_whole;
    struct row *old_rows = read_rows(&old, &old_whole);
    struct row *fresh_rows = read_rows(&fresh, &fresh_whole);
    enum capture_totals result = CAPTURE_TOTALS_MERGED;
    if (fresh.row_count == 0 || !old_whole)
        result = CAPTURE_TOTALS_LOST;
    else if (!fresh_whole)
        result = CAPTURE_TOTALS_WHOLE;
    for (size_t i = 0; i < fresh.row_count && result == CAPTURE_TOTALS_MERGED; i++) {
        if (fresh_rows[i].marker < from)
            result = CAPTURE_TOTALS_WHOLE;
    }
    if (result == CAPTURE_TOTALS_MERGED) {
        struct row *merged = mem_calloc(old.row_count + fresh.row_count, sizeof *merged);
        size_t count = merge(old_rows, old.row_count, fresh_rows, fresh.row_count, from, merged);
        put_merged(&fresh, merged, count, out);
        free(merged);
    }
    free(old_rows);
    free(fresh_rows);
    capture_document_free(&old);
    capture_document_free(&fresh);
    return result;
}
