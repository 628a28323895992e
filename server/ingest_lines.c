#include "base/mem.h"
#include "ingest/event_split.h"
#include "server/ingest_reply.h"
#include "server/ingest_request.h"
#include "server/reply.h"

#include <stdlib.h>

void ingest_lines_read(struct ingest *ingest)
{
    struct slice text = buf_slice(&ingest->text);
    struct slice line;
    size_t room = 0;
    while (event_next_line(&text, true, &line)) {
        ingest->line++;
        if (line.n == 0)
            continue;
        size_t n = event_batch_count(ingest->batch);
        if (n == room) {
            room = room ? room * 2 : 64;
            ingest->lines = mem_realloc(ingest->lines, room * sizeof *ingest->lines);
        }
        ingest->lines[n] = ingest->line;
        event_batch_add(ingest->batch, line);
    }
}

/* --- the answer --- */

static void on_room(void *arg, struct http_request *request)
{
    (void)request;
    ingest_lines_go_on(arg);
}

static void on_gone(void *arg, struct http_request *request)
{
    (void)request;
    struct ingest *ingest = arg;
    ingest->gone = true;
    ingest_lines_go_on(ingest);
}

static void begin_answer(struct ingest *ingest)
{
    const struct http_stream stream = {.room = on_room, .gone = on_gone, .arg = ingest};
    if (ingest->streaming)
        return;
    ingest->streaming = true;
    http_reply_status(ingest->request, ingest->status);
    http_reply_header(ingest->request, "Content-Type", SLICE("application/x-ndjson; charset=utf-8"));
    http_reply_header(ingest->request, "Cache-Control", SLICE("no-store"));
    http_reply_stream(ingest->request, &stream);
}

static void say(struct ingest *ingest, struct buf *text)
{
    begin_answer(ingest);
    if (!ingest->gone && text->len)
        http_stream_copy(ingest->request, buf_slice(text));
    buf_free(text);
}

static void end_answer(struct ingest *ingest)
{
    http_stream_end(ingest->request);
    ingest_free(ingest);
}

void ingest_lines_abort(struct ingest *ingest, unsigned status, const char *code, const char *reason)
{
    if (!ingest->busy && !ingest->streaming) {
        ingest_fail(ingest, status, code, reason);
        return;
    }
    ingest->abort_code = code;
    ingest->abort_reason = reason;
    ingest_lines_go_on(ingest);
}

static void tell_abort(struct ingest *ingest)
{
    struct buf text = BUF_INIT;
    ingest_put_abort(&text, ingest->line + 1, ingest->abort_code, ingest->abort_reason);
    say(ingest, &text);
    end_answer(ingest);
}

static void finish(struct ingest *ingest)
{
    struct buf text = BUF_INIT;
    ingest_put_summary(&text, &ingest->counts);
    say(ingest, &text);
    end_answer(ingest);
}

/* --- taking lines --- */

/* How much of what came is taken next: whole lines, a chunk of them at most, but one at least. 0: none is there. */
static size_t next_piece(const struct ingest *ingest)
{
    const struct buf *in = &ingest->in;
    if (ingest->atomic)
        return ingest->ended ? in->len : 0;
    if (in->len <= INGEST_CHUNK && ingest->ended)
        return in->len;
    size_t reach = in->len < INGEST_CHUNK ? in->len : INGEST_CHUNK;
    const char *end = reach ? memrchr(in->data, '\n', reach) : NULL;
    if (!end && in->len > reach)
        end = memchr(in->data + reach, '\n', in->len - reach);
    if (end)
        return (size_t)(end - in->data) + 1;
    return ingest->ended ? in->len : 0;
}

static void take_piece(struct ingest *ingest, size_t n)
{
    struct buf *in = &ingest->in;
    buf_clear(&ingest->text);
    buf_append(&ingest->text, in->data, n);
    memmove(in->data, in->data + n, in->len - n);
    in->len -= n;
    if (ingest->paused && in->len <= INGEST_READ_AHEAD / 2) {
        ingest->paused = false;
        http_request_resume(ingest->request);
    }
}

void ingest_lines_go_on(struct ingest *ingest)
{
    if (ingest->busy)
        return;
    if (ingest->gone) {
        begin_answer(ingest);
        end_answer(ingest);
        return;
    }
    if (ingest->abort_code) {
        tell_abort(ingest);
        return;
    }
    if (ingest->streaming && http_stream_pending(ingest->request) > INGEST_PENDING)
        return;
    size_t n = next_piece(ingest);
    if (n == 0 && ingest->ended) {
        finish(ingest);
    } else if (n > 0) {
        take_piece(ingest, n);
        ingest_begin_batch(ingest);
    } else if (ingest->in.len > (size_t)ingest->door->settings->ingest_max_body_bytes) {
        ingest_lines_abort(ingest, 413, "line_too_long", "a line is longer than ingest.max_body_bytes");
    } else if (ingest->paused) { /* a line that is longer than what is read ahead */
        ingest->paused = false;
        http_request_resume(ingest->request);
    }
}

void ingest_lines_stored(struct ingest *ingest)
{
    struct buf text = BUF_INIT;
    if (ingest->err.code != ERR_NONE) {
        uint64_t first = event_batch_count(ingest->batch) ? ingest->lines[0] : ingest->line;
        ingest->line = first - 1;
        if (!ingest->gone)
            ingest_put_abort(&text, first, "unavailable",
                             "the database cannot be reached; send what follows from this line on again");
        say(ingest, &text);
        end_answer(ingest);
        return;
    }
    struct event_counts counts = event_batch_counts(ingest->batch);
    ingest->counts.accepted += counts.accepted;
    ingest->counts.duplicate += counts.duplicate;
    ingest->counts.rejected += counts.rejected;
    if (ingest->atomic)
        ingest->status = ingest_status(ingest->batch);
    ingest_put_lines(&text, ingest->batch, ingest->lines);
    say(ingest, &text);
    ingest_lines_go_on(ingest);
}
