#include "base/mem.h"
#include "ingest/event_split.h"
#include "server/ingest_reply.h"
#include "server/ingest_request.h"
#include "server/reply.h"

#include <stdlib.h>

void ingest_lines_read(struct ingest *ingest)
{
    struct ingest_piece *piece = &ingest->pieces[0];
    struct slice text = buf_slice(&piece->text);
    struct slice line;
    while (event_next_line(&text, true, &line)) {
        ingest->line++;
        if (line.n == 0)
            continue;
        size_t n = event_batch_count(piece->batch);
        if (n >= piece->lines_room) {
            piece->lines_room = piece->lines_room ? piece->lines_room * 2 : 64;
            piece->lines = mem_realloc(piece->lines, piece->lines_room * sizeof *piece->lines);
        }
        piece->lines[n] = ingest->line;
        event_batch_add(piece->batch, line);
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
    if (!ingest->reading && !ingest->ready && !ingest->storing && !ingest->streaming) {
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
    ingest_put_abort(&text, ingest->answered + 1, ingest->abort_code, ingest->abort_reason);
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
    struct slice in = ingest_waiting(ingest);
    if (ingest->atomic)
        return ingest->ended ? in.n : 0;
    if (in.n <= INGEST_CHUNK && ingest->ended)
        return in.n;
    size_t reach = in.n < INGEST_CHUNK ? in.n : INGEST_CHUNK;
    const char *end = reach ? memrchr(in.p, '\n', reach) : NULL;
    if (!end && in.n > reach)
        end = memchr(in.p + reach, '\n', in.n - reach);
    if (end)
        return (size_t)(end - in.p) + 1;
    return ingest->ended ? in.n : 0;
}

static void take_piece(struct ingest *ingest, size_t n)
{
    struct buf *text = &ingest->pieces[0].text;
    buf_clear(text);
    buf_append(text, ingest_waiting(ingest).p, n);
    ingest->in_at += n;
    if (ingest->in_at == ingest->in.len || ingest->in_at > INGEST_READ_AHEAD) {
        struct slice rest = ingest_waiting(ingest);
        if (rest.n)
            memmove(ingest->in.data, rest.p, rest.n);
        ingest->in.len = rest.n;
        ingest->in_at = 0;
    }
}

static void let_more_come(struct ingest *ingest)
{
    if (!ingest->paused)
        return;
    ingest->paused = false;
    http_request_resume(ingest->request);
}

/* Takes the next piece of what came, when there is one. */
static void read_on(struct ingest *ingest)
{
    size_t n = next_piece(ingest);
    size_t waiting = ingest_waiting(ingest).n;
    if (n > 0) {
        take_piece(ingest, n);
        if (waiting - n <= INGEST_READ_AHEAD / 2)
            let_more_come(ingest);
        ingest_begin_piece(ingest);
    } else if (waiting > (size_t)ingest->door->settings->ingest_max_body_bytes) {
        ingest_lines_abort(ingest, 413, "line_too_long", "a line is longer than ingest.max_body_bytes");
    } else {
        let_more_come(ingest); /* the line is longer than what is read ahead */
    }
}

void ingest_lines_go_on(struct ingest *ingest)
{
    if (ingest->gone || ingest->abort_code) { /* what waits to be stored was not promised to anybody */
        if (ingest->reading || ingest->storing)
            return;
        if (ingest->abort_code && !ingest->gone) {
            tell_abort(ingest);
            return;
        }
        begin_answer(ingest);
        end_answer(ingest);
        return;
    }
    if (ingest->ready && !ingest->storing &&
        !(ingest->streaming && http_stream_pending(ingest->request) > INGEST_PENDING))
        ingest_store_ready(ingest);
    if (ingest->reading || ingest->ready)
        return;
    if (!ingest->ended || ingest_waiting(ingest).n > 0)
        read_on(ingest);
    else if (!ingest->storing)
        finish(ingest);
}

void ingest_lines_stored(struct ingest *ingest)
{
    struct buf text = BUF_INIT;
    const struct ingest_piece *piece = &ingest->pieces[1];
    size_t items = event_batch_count(piece->batch);
    if (ingest->err.code != ERR_NONE) {
        ingest->abort_code = "unavailable";
        ingest->abort_reason = "the database cannot be reached; send what follows from this line on again";
        ingest_lines_go_on(ingest);
        return;
    }
    struct event_counts counts = event_batch_counts(piece->batch);
    ingest->counts.accepted += counts.accepted;
    ingest->counts.duplicate += counts.duplicate;
    ingest->counts.rejected += counts.rejected;
    if (items)
        ingest->answered = piece->lines[items - 1];
    if (ingest->atomic)
        ingest->status = ingest_status(piece->batch);
    ingest_put_lines(&text, piece->batch, piece->lines);
    say(ingest, &text);
    ingest_lines_go_on(ingest);
}
