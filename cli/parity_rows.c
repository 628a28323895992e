#include "cli/parity_rows.h"

#include "base/json_read.h"
#include "base/mem.h"
#include "parity/identity.h"

#include <math.h>
#include <stdlib.h>
#include <xxhash.h>

const struct parity_rows_place parity_rows_places[READ_KIND_COUNT] = {
    [READ_ACCOUNT_TOTALS] = {CAPTURE_ACCOUNT_TOTALS, "model_id", NULL},
    [READ_POSITIONS] = {CAPTURE_POSITIONS, "model_id", NULL},
    [READ_TRADES] = {CAPTURE_TRADES, "model_id", NULL},
    [READ_CRYPTO_PRICES] = {CAPTURE_PRICES, NULL, NULL},
    [READ_SINCE_INCEPTION] = {CAPTURE_SINCE_INCEPTION, "model_id", NULL},
    [READ_LEADERBOARD] = {CAPTURE_LEADERBOARD, "id", NULL},
    [READ_ANALYTICS_ALL] = {CAPTURE_ANALYTICS, "model_id", "id"},
    [READ_ANALYTICS_ONE] = {CAPTURE_ANALYTICS_ONE, "model_id", "id"},
    [READ_CONVERSATIONS] = {CAPTURE_CONVERSATIONS, "model_id", NULL},
};

bool parity_rows_have_models(enum read_kind kind)
{
    return parity_rows_places[kind].model_key != NULL;
}

static const struct capture_kind *captured(enum read_kind kind)
{
    return &capture_kinds[parity_rows_places[kind].captured];
}

size_t parity_rows_count(enum read_kind kind, struct slice json)
{
    struct capture_document document;
    capture_document_read(&document, parity_rows_places[kind].captured, json);
    size_t count = document.row_count;
    capture_document_free(&document);
    return count;
}

/* The model that a row names, in `model`; false when it names none. */
static bool model_of(enum read_kind kind, struct slice row, struct buf *model)
{
    const struct parity_rows_place *place = &parity_rows_places[kind];
    buf_clear(model);
    if (place->model_key && capture_text(capture_find(row, place->model_key), model))
        return true;
    buf_clear(model);
    return place->or_else && capture_text(capture_find(row, place->or_else), model);
}

void parity_rows_models(enum read_kind kind, struct slice json, struct name_set *models)
{
    struct capture_document document;
    struct buf model = BUF_INIT;
    capture_document_read(&document, parity_rows_places[kind].captured, json);
    for (size_t i = 0; i < document.row_count; i++) {
        if (model_of(kind, document.rows[i].json, &model) && model.len)
            name_set_add(models, buf_slice(&model));
    }
    buf_free(&model);
    capture_document_free(&document);
}

/* --- Leaving rows out --- */

static void put_member(struct buf *out, struct slice key, struct slice value)
{
    buf_append_char(out, '"');
    buf_append_slice(out, key);
    buf_append_str(out, "\":");
    buf_append_slice(out, value);
}

/* Writes the document anew: with the rows that `keep`, an array by the rows' index, says, and everything beside them.
 * The document points into json. */
static void rewrite(enum read_kind kind, const struct capture_document *document, const bool *keep, struct buf *json)
{
    bool map = captured(kind)->shape == CAPTURE_MAP;
    struct buf out = BUF_INIT;
    buf_printf(&out, "{\"%s\":%c", captured(kind)->rows_key, map ? '{' : '[');
    size_t kept = 0;
    for (size_t i = 0; i < document->row_count; i++) {
        if (!keep[i])
            continue;
        if (kept++)
            buf_append_char(&out, ',');
        if (map)
            put_member(&out, document->rows[i].key, document->rows[i].json);
        else
            buf_append_slice(&out, document->rows[i].json);
    }
    buf_append_char(&out, map ? '}' : ']');
    for (size_t i = 0; i < document->other_count; i++) {
        buf_append_char(&out, ',');
        put_member(&out, document->others[i].key, document->others[i].json);
    }
    if (document->has_server_time)
        buf_printf(&out, ",\"serverTime\":%lld", (long long)document->server_time_ms);
    buf_append_char(&out, '}');
    buf_free(json);
    *json = out;
}

/* A single object is the model's own, or not asked for at all. */
static bool has_rows(enum read_kind kind)
{
    return captured(kind)->shape != CAPTURE_SINGLE;
}

void parity_rows_keep_model(enum read_kind kind, struct slice model, struct buf *json)
{
    if (!parity_rows_have_models(kind) || !has_rows(kind))
        return;
    struct capture_document document;
    struct buf name = BUF_INIT;
    capture_document_read(&document, parity_rows_places[kind].captured, buf_slice(json));
    bool *keep = mem_calloc(document.row_count + 1, sizeof *keep);
    for (size_t i = 0; i < document.row_count; i++)
        keep[i] = model_of(kind, document.rows[i].json, &name) && slice_equal(buf_slice(&name), model);
    rewrite(kind, &document, keep, json);
    free(keep);
    buf_free(&name);
    capture_document_free(&document);
}

/* --- Samples --- */

/* The keys of the rule for the array of rows, "$.trades"; no alternatives when there is none. */
static void find_keys(enum read_kind kind, const struct parity_rule *rules, struct parity_identity_keys *keys)
{
    struct buf place = BUF_INIT;
    *keys = (struct parity_identity_keys){0};
    buf_printf(&place, "$.%s", captured(kind)->rows_key);
    for (; rules->kind != PARITY_RULES_END; rules++) {
        if (rules->kind != PARITY_IDENTITY || !slice_is(buf_slice(&place), rules->place))
            continue;
        if (!parity_identity_read_keys(keys, rules->keys, NULL))
            *keys = (struct parity_identity_keys){0};
        break;
    }
    buf_free(&place);
}

/* The hash of what identifies a row; false when nothing does. */
static bool hash_of(const struct capture_member *row, const struct parity_identity_keys *keys, struct buf *scratch,
                    uint64_t *hash)
{
    if (row->key.p) {
        buf_clear(scratch);
        json_unescape(scratch, row->key);
        *hash = XXH3_64bits(scratch->data, scratch->len);
        return true;
    }
    struct parity_identity identity = parity_identity_of(keys, row->json.p, row->json.p + row->json.n);
    if (identity.alternative < 0)
        return false;
    *hash = parity_identity_hash(keys, &identity, 0);
    return true;
}

/* A document's rows with their hashes. */
struct hashed {
    struct capture_document document;
    uint64_t *hashes;
    bool *keep; /* true from the start for rows without a hash */
};

static void hash_rows(struct hashed *hashed, enum read_kind kind, const struct parity_identity_keys *keys,
                      struct slice json)
{
    struct buf scratch = BUF_INIT;
    capture_document_read(&hashed->document, parity_rows_places[kind].captured, json);
    size_t count = hashed->document.row_count;
    hashed->hashes = mem_calloc(count + 1, sizeof *hashed->hashes);
    hashed->keep = mem_calloc(count + 1, sizeof *hashed->keep);
    for (size_t i = 0; i < count; i++)
        hashed->keep[i] = !hash_of(&hashed->document.rows[i], keys, &scratch, &hashed->hashes[i]);
    buf_free(&scratch);
}

static void finish(struct hashed *hashed, enum read_kind kind, uint64_t highest, struct buf *json)
{
    for (size_t i = 0; i < hashed->document.row_count; i++)
        hashed->keep[i] = hashed->keep[i] || hashed->hashes[i] <= highest;
    rewrite(kind, &hashed->document, hashed->keep, json);
    capture_document_free(&hashed->document);
    free(hashed->hashes);
    free(hashed->keep);
}

static int compare_hashes(const void *a, const void *b)
{
    uint64_t x;
    uint64_t y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

/* The hash of the wanted-th row, of both sides together, in the order of the hashes. */
static uint64_t highest_of(const struct hashed sides[2], uint64_t wanted)
{
    size_t most = sides[0].document.row_count + sides[1].document.row_count;
    uint64_t *all = mem_calloc(most + 1, sizeof *all);
    size_t count = 0;
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < sides[side].document.row_count; i++) {
            if (!sides[side].keep[i])
                all[count++] = sides[side].hashes[i];
        }
    }
    qsort(all, count, sizeof *all, compare_hashes);
    uint64_t highest = UINT64_MAX;
    uint64_t different = 0;
    for (size_t i = 0; i < count && highest == UINT64_MAX; i++) {
        if (i == 0 || all[i] != all[i - 1])
            different++;
        if (different == wanted)
            highest = all[i];
    }
    free(all);
    return highest;
}

void parity_rows_keep_sample(enum read_kind kind, const struct parity_rule *rules, const struct parity_sample *sample,
                             struct buf *left, struct buf *right)
{
    if (sample->kind == PARITY_SAMPLE_ALL || !has_rows(kind))
        return;
    struct hashed sides[2];
    struct parity_identity_keys keys;
    find_keys(kind, rules, &keys);
    hash_rows(&sides[0], kind, &keys, buf_slice(left));
    hash_rows(&sides[1], kind, &keys, buf_slice(right));
    uint64_t highest =
        sample->kind == PARITY_SAMPLE_ROWS ? highest_of(sides, sample->rows) : (uint64_t)ldexp(sample->share, 64);
    finish(&sides[0], kind, highest, left);
    finish(&sides[1], kind, highest, right);
}
