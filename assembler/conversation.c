#include "assembler/conversation.h"

#include "assembler/wire.h"

#include <inttypes.h>

bool conversation_put(struct buf *out, const struct conversations_row *conversation,
                      const struct conversation_messages_row *messages, size_t count, struct err *err)
{
    struct wire_detail detail;
    if (!wire_detail_open(&detail, conversation->wire_detail, err))
        return err_wrap(err, "stored conversation %" PRId64, conversation->id.v);

    struct json_writer w = json_writer_on(out);
    json_begin_object(&w);
    bool ok = wire_put_members(&w, &wire_conversation, conversation, &detail, err);
    json_key(&w, SLICE("messages"));
    json_begin_array(&w);
    for (size_t i = 0; ok && i < count; i++) {
        json_raw(&w, SLICE(""));
        ok = wire_put_object(out, &wire_message, &messages[i], err);
        if (!ok)
            err_wrap(err, "stored conversation %" PRId64, conversation->id.v);
    }
    json_end_array(&w);
    json_end_object(&w);
    wire_detail_close(&detail);
    return ok;
}
