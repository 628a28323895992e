#include "ingest/event_input.h"

#include "base/buf.h"
#include "base/json_read.h"
#include "base/mem.h"
#include "ingest/event_split.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum { READ_BYTES = 256 * 1024 };

enum form { FORM_UNKNOWN, FORM_LINES, FORM_ARRAY, FORM_ONE };

struct event_input {
    int fd;
    size_t most_bytes;
    struct buf window;
    size_t at;     /* of the window: what stands before is done with */
    uint64_t base; /* of the input: where the window begins */
    bool ended;    /* nothing comes behind the window */
    bool told_idle;
    enum form form;
    uint64_t count; /* lines or elements so far */
    struct event_array array;
};

struct event_input *event_input_new(int fd, size_t most_bytes)
{
    struct event_input *input = mem_zalloc(sizeof *input);
    input->fd = fd;
    input->most_bytes = most_bytes;
    return input;
}

void event_input_free(struct event_input *input)
{
    if (!input)
        return;
    buf_free(&input->window);
    free(input);
}

bool event_input_is_lines(const struct event_input *input)
{
    return input->form == FORM_LINES;
}

uint64_t event_input_read(const struct event_input *input)
{
    return input->base + input->window.len;
}

static struct slice rest(const struct event_input *input)
{
    size_t n = input->window.len - input->at;
    return n ? (struct slice){input->window.data + input->at, n} : (struct slice){NULL, 0};
}

static void drop_done(struct event_input *input)
{
    struct slice left = rest(input);
    if (left.n)
        memmove(input->window.data, left.p, left.n);
    input->base += input->at;
    input->window.len = left.n;
    input->at = 0;
}

/* Lengthens the window. EVENT_INPUT_ITEM when it did, or when the end was seen. */
static enum event_input_step fill(struct event_input *input, struct err *err)
{
    struct pollfd ready = {.fd = input->fd, .events = POLLIN};
    if (rest(input).n > input->most_bytes) {
        (void)err_set(err, ERR_LIMIT, "the item at byte %" PRIu64 " is longer than %zu bytes", input->base + input->at,
                      input->most_bytes);
        return EVENT_INPUT_FAULT;
    }
    if (!input->told_idle && poll(&ready, 1, 0) == 0) {
        input->told_idle = true;
        return EVENT_INPUT_IDLE;
    }
    input->told_idle = false;
    if (input->at > READ_BYTES || input->at == input->window.len)
        drop_done(input);
    char *room = buf_reserve(&input->window, READ_BYTES);
    ssize_t got = read(input->fd, room, READ_BYTES);
    if (got < 0 && errno == EINTR)
        return EVENT_INPUT_SIGNAL;
    if (got < 0) {
        (void)err_set_errno(err, errno, "cannot read");
        return EVENT_INPUT_FAULT;
    }
    input->ended = got == 0;
    input->window.len += (size_t)got;
    return EVENT_INPUT_ITEM;
}

static bool is_good_json(struct slice text)
{
    return json_check(text, NULL, NULL);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Looks at what came so far; stays FORM_UNKNOWN when more is needed to say it. */
static void find_form(struct event_input *input)
{
    struct slice text = rest(input);
    size_t start = 0;
    while (start < text.n && is_blank(text.p[start]))
        start++;
    if (start == text.n) {
        input->form = input->ended ? FORM_LINES : FORM_UNKNOWN;
        return;
    }
    if (text.p[start] == '[') {
        input->form = FORM_ARRAY;
        return;
    }
    struct slice line = {text.p + start, text.n - start};
    const char *end = memchr(line.p, '\n', line.n);
    bool ends = end || input->ended;
    line.n = end ? (size_t)(end - line.p) : line.n;
    if (text.p[start] != '{' || text.n > input->most_bytes || (ends && is_good_json(line)))
        input->form = FORM_LINES;
    else if (input->ended)
        input->form = is_good_json(text) ? FORM_ONE : FORM_LINES;
}

static uint64_t offset_of(const struct event_input *input, struct slice text)
{
    return input->base + (uint64_t)(text.p - input->window.data);
}

static enum event_input_step next_line(struct event_input *input, struct event_input_item *item, struct err *err)
{
    for (;;) {
        struct slice text = rest(input);
        size_t before = text.n;
        struct slice line;
        if (event_next_line(&text, input->ended, &line)) {
            input->at += before - text.n;
            input->count++;
            if (line.n == 0)
                continue;
            *item = (struct event_input_item){.text = line,
                                              .number = input->count,
                                              .start = offset_of(input, line),
                                              .end = input->base + input->at,
                                              .unfinished = input->window.data[input->at - 1] != '\n'};
            return EVENT_INPUT_ITEM;
        }
        if (input->ended)
            return EVENT_INPUT_END;
        enum event_input_step step = fill(input, err);
        if (step != EVENT_INPUT_ITEM)
            return step;
    }
}

static enum event_input_step next_element(struct event_input *input, struct event_input_item *item, struct err *err)
{
    for (;;) {
        const char *what = NULL;
        enum event_step step = event_array_next(&input->array, rest(input), input->ended, &item->text, &what);
        input->at += input->array.at;
        input->array.at = 0;
        switch (step) {
        case EVENT_STEP_ITEM:
            item->number = input->count++;
            item->start = offset_of(input, item->text);
            item->end = input->base + input->at;
            item->unfinished = false;
            return EVENT_INPUT_ITEM;
        case EVENT_STEP_END:
            return EVENT_INPUT_END;
        case EVENT_STEP_FAULT:
            (void)err_set(err, ERR_INVALID, "byte %" PRIu64 ": %s", input->base + input->at, what);
            return EVENT_INPUT_FAULT;
        case EVENT_STEP_MORE:
            break;
        }
        enum event_input_step filled = fill(input, err);
        if (filled != EVENT_INPUT_ITEM)
            return filled;
    }
}

static enum event_input_step the_one(struct event_input *input, struct event_input_item *item)
{
    if (input->count++ > 0)
        return EVENT_INPUT_END;
    *item = (struct event_input_item){
        .text = rest(input), .number = 1, .start = input->base, .end = input->base + input->window.len};
    return EVENT_INPUT_ITEM;
}

enum event_input_step event_input_next(struct event_input *input, struct event_input_item *item, struct err *err)
{
    while (input->form == FORM_UNKNOWN) {
        find_form(input);
        if (input->form != FORM_UNKNOWN)
            break;
        enum event_input_step step = fill(input, err);
        if (step != EVENT_INPUT_ITEM)
            return step;
    }
    if (input->form == FORM_ARRAY)
        return next_element(input, item, err);
    return input->form == FORM_ONE ? the_one(input, item) : next_line(input, item, err);
}
