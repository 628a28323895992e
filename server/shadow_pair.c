#include "server/shadow_pair.h"

#include "base/clock.h"
#include "base/json_write.h"
#include "parity/findings.h"
#include "server/redact.h"
#include "server/shadow_tally.h"

enum {
    DIFFERENCES_MOST = 100,
    VALUE_BYTES = 512,
    ENDS_BYTES = 256, /* for what stands around the documents */
};

static void put_text(struct json_writer *w, const char *key, struct slice text)
{
    json_key(w, slice_of(key));
    if (text.p)
        json_string(w, text);
    else
        json_null(w);
}

/* Values are JSON texts, maybe cut, so they go out as strings. Stops when `room` bytes are used; returns how many. */
static size_t put_differences(struct json_writer *w, const struct parity_findings *findings, size_t room)
{
    size_t start = w->out->len;
    size_t shown = 0;
    json_key(w, SLICE("differences"));
    json_begin_array(w);
    for (; shown < parity_findings_kept(findings) && shown < DIFFERENCES_MOST && w->out->len - start < room; shown++) {
        struct parity_difference difference = parity_findings_at(findings, shown);
        json_begin_object(w);
        put_text(w, "class", slice_of(parity_class_name(difference.class)));
        put_text(w, "path", difference.path);
        put_text(w, "left", difference.left);
        put_text(w, "right", difference.right);
        json_end_object(w);
    }
    json_end_array(w);
    return shown;
}

/* How many bytes of the text give a JSON string of at most `most` bytes, ending between two characters. *size receives
 * the string's. */
static size_t that_fit(struct slice text, size_t most, size_t *size)
{
    size_t n = 0;
    *size = 2;
    while (n < text.n) {
        size_t width = 1;
        while (n + width < text.n && ((unsigned char)text.p[n + width] & 0xC0) == 0x80)
            width++;
        unsigned char c = (unsigned char)text.p[n];
        size_t cost = c == '"' || c == '\\' ? 2 : c < 0x20 ? 6 : width;
        if (*size + cost > most)
            break;
        *size += cost;
        n += width;
    }
    return n;
}

static void put_document(struct json_writer *w, struct slice text, size_t most)
{
    size_t size = 0;
    size_t n = that_fit(text, most, &size);
    json_begin_object(w);
    json_key(w, SLICE("bytes"));
    json_i64(w, (int64_t)text.n);
    json_key(w, SLICE("cut"));
    json_bool(w, n < text.n);
    put_text(w, "text", (struct slice){text.p, n});
    json_end_object(w);
}

/* The shorter of the two leaves to the other what it does not need. */
static void put_documents(struct json_writer *w, const struct shadow_pair *pair, size_t room)
{
    size_t need = 0;
    bool left_first = pair->left.n <= pair->right.n;
    (void)that_fit(left_first ? pair->left : pair->right, room / 2, &need);
    json_key(w, SLICE("left"));
    put_document(w, pair->left, left_first ? room / 2 : room - need);
    json_key(w, SLICE("right"));
    put_document(w, pair->right, left_first ? room - need : room / 2);
}

static void put(const struct shadow_pair *pair, const struct parity_findings *findings, size_t most_bytes,
                struct buf *out)
{
    static const char *const modes[] = {
        [FLAG_LEGACY] = "legacy", [FLAG_SHADOW] = "shadow", [FLAG_CANARY] = "canary", [FLAG_REPO] = "repo"};
    struct json_writer w = json_writer_on(out);
    char at[CLOCK_ISO_SIZE];
    char instance[SHADOW_INSTANCE_SIZE];
    size_t size = 0;
    size_t start = out->len;
    json_begin_object(&w);
    put_text(&w, "at", slice_of(clock_format_iso(at, pair->at_ms)));
    put_text(&w, "endpoint", slice_of(pair->endpoint->name));
    put_text(&w, "target", (struct slice){pair->target.p, that_fit(pair->target, most_bytes / 8, &size)});
    put_text(&w, "mode", slice_of(modes[pair->mode]));
    put_text(&w, "instance", slice_of(shadow_instance(instance)));
    size_t shown = put_differences(&w, findings, most_bytes / 4);
    json_key(&w, SLICE("more"));
    json_i64(&w, (int64_t)(parity_counts_sum(parity_findings_counts(findings)) - shown));
    size_t used = out->len - start + ENDS_BYTES;
    put_documents(&w, pair, used < most_bytes ? most_bytes - used : 0);
    json_end_object(&w);
}

void shadow_pair_put(const struct shadow_pair *pair, const char *redact, size_t most_bytes, struct buf *out)
{
    struct buf left = BUF_INIT;
    struct buf right = BUF_INIT;
    struct parity_findings *findings = parity_findings_new(DIFFERENCES_MOST, VALUE_BYTES);
    struct shadow_pair shown = *pair;
    struct parity_counts counts;
    struct err err = ERR_INIT;
    redact_json(redact, pair->left, &left);
    redact_json(redact, pair->right, &right);
    shown.left = buf_slice(&left);
    shown.right = buf_slice(&right);
    if (parity_compare(shown.left, shown.right, pair->endpoint->parity_rules, parity_findings_add, findings, &counts,
                       &err))
        put(&shown, findings, most_bytes, out);
    parity_findings_free(findings);
    buf_free(&left);
    buf_free(&right);
}
