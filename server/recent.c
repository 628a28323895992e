#include "server/recent.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdlib.h>
#include <xxhash.h>

struct slot {
    struct buf question;
    struct document *document; /* NULL: empty */
};

struct recent {
    struct slot slots[RECENT_SLOTS];
};

static void put_text(struct buf *out, struct slice text)
{
    /* The length keeps texts apart; all bits set stand for "none". */
    size_t length = text.p ? text.n : SIZE_MAX;
    buf_append(out, &length, sizeof length);
    if (text.p)
        buf_append_slice(out, text);
}

static void put_cursor(struct buf *out, const struct trade_cursor *cursor)
{
    int kind = (int)cursor->kind;
    buf_append(out, &kind, sizeof kind);
    if (cursor->kind == CURSOR_TIME)
        buf_append(out, &cursor->exit_time_s, sizeof cursor->exit_time_s);
    else if (cursor->kind == CURSOR_ID)
        put_text(out, cursor->id);
}

/* Everything that tells one question from another, as bytes. */
static void put_question(struct buf *out, const struct read_query *query)
{
    const int64_t numbers[] = {(int64_t)query->kind, query->has_min_marker ? query->min_marker : -1, query->limit};
    buf_append(out, numbers, sizeof numbers);
    put_text(out, query->model_id);
    put_cursor(out, &query->before);
    put_cursor(out, &query->after);
}

static size_t slot_of(const struct buf *question)
{
    return (size_t)(XXH3_64bits(question->data, question->len) % RECENT_SLOTS);
}

struct recent *recent_new(void)
{
    return mem_zalloc(sizeof(struct recent));
}

void recent_clear(struct recent *recent)
{
    for (size_t i = 0; i < RECENT_SLOTS; i++) {
        document_unref(recent->slots[i].document);
        recent->slots[i].document = NULL;
        buf_clear(&recent->slots[i].question);
    }
}

void recent_free(struct recent *recent)
{
    if (!recent)
        return;
    recent_clear(recent);
    for (size_t i = 0; i < RECENT_SLOTS; i++)
        buf_free(&recent->slots[i].question);
    free(recent);
}

struct document *recent_find(const struct recent *recent, const struct read_query *query)
{
    struct buf question = BUF_INIT;
    put_question(&question, query);
    const struct slot *slot = &recent->slots[slot_of(&question)];
    bool same = slice_equal(buf_slice(&slot->question), buf_slice(&question));
    buf_free(&question);
    return same ? slot->document : NULL;
}

void recent_keep(struct recent *recent, const struct read_query *query, struct document *document)
{
    if (document_body(document).n > RECENT_BODY_MAX)
        return;
    struct buf question = BUF_INIT;
    put_question(&question, query);
    struct slot *slot = &recent->slots[slot_of(&question)];
    (void)document_ref(document);
    document_unref(slot->document);
    slot->document = document;
    buf_free(&slot->question);
    slot->question = question;
}
