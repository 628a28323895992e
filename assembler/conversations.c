#include "assembler/assembler.h"
#include "assembler/conversation.h"
#include "assembler/document.h"

/* True when the cycle comes before the conversation; a row without a place comes last. */
static bool cycle_first(const struct decision_cycles_row *cycle, const struct conversations_row *conversation)
{
    if (!cycle->feed_ordinal.set || !conversation->feed_ordinal.set)
        return cycle->feed_ordinal.set;
    return cycle->feed_ordinal.v < conversation->feed_ordinal.v;
}

bool assemble_conversations(const struct read_query *query, const struct repo_answer *answer, struct buf *out,
                            struct err *err)
{
    size_t start = out->len;
    size_t limit = query->limit == READ_NO_LIMIT ? SIZE_MAX : (size_t)query->limit;
    size_t cycle = 0;
    size_t conversation = 0;
    size_t message = 0;

    struct json_writer w = json_writer_on(out);
    json_begin_object(&w);
    json_key(&w, SLICE("conversations"));
    json_begin_array(&w);
    bool ok = true;
    for (size_t written = 0; ok && written < limit; written++) {
        bool has_cycle = cycle < answer->cycle_count;
        bool has_conversation = conversation < answer->conversation_count;
        if (!has_cycle && !has_conversation)
            break;
        json_raw(&w, SLICE(""));
        if (has_cycle &&
            (!has_conversation || cycle_first(&answer->cycles[cycle], &answer->conversations[conversation]))) {
            ok = wire_put_object(out, &wire_cycle, &answer->cycles[cycle++], err);
            continue;
        }
        const struct conversations_row *row = &answer->conversations[conversation++];
        size_t first = message;
        while (message < answer->message_count && answer->messages[message].conversation_id.v == row->id.v)
            message++;
        ok = conversation_put(out, row, message > first ? &answer->messages[first] : NULL, message - first, err);
    }
    json_end_array(&w);
    return document_end(out, start, ok && document_put_members(&w, answer->document, err));
}
