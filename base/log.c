#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/json_write.h"
#include "base/utf8.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdatomic.h>
#include <unistd.h>

static const char *const level_names[] = {"debug", "info", "warn", "error"};

/* The process's one log. Three settings that need not change together, so three atomics and no lock. */
static atomic_int log_fd = STDERR_FILENO;
static atomic_int log_lowest = LOG_INFO;
static atomic_int log_format = LOG_TEXT;

void log_setup(int fd, enum log_level lowest, enum log_format format)
{
    atomic_store_explicit(&log_fd, fd, memory_order_relaxed);
    atomic_store_explicit(&log_lowest, (int)lowest, memory_order_relaxed);
    atomic_store_explicit(&log_format, (int)format, memory_order_relaxed);
}

static bool needs_quotes(struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c <= ' ' || c == '"' || c == '\\' || c == '=')
            return true;
    }
    return text.n == 0;
}

/* What is not UTF-8 would spoil a collector's line, and DEL and the C1 controls move a terminal's cursor. */
static struct slice replace_harmful(struct buf *scratch, struct slice text)
{
    static const char replacement[] = "\xEF\xBF\xBD";
    const char *end = text.n ? text.p + text.n : text.p;
    const char *p = text.p;
    while (p < end && (unsigned char)*p < 0x7F)
        p++;
    if (p == end)
        return text;
    for (p = text.p; p < end;) {
        size_t length = utf8_length(p, end);
        bool is_c1 = length == 2 && (unsigned char)p[0] == 0xC2 && (unsigned char)p[1] < 0xA0;
        if (length == 0 || *p == 0x7F || is_c1)
            buf_append_str(scratch, replacement);
        else
            buf_append(scratch, p, length);
        p += length ? length : 1;
    }
    return buf_slice(scratch);
}

/* JSON's quoting serves both forms. */
static void put_text(struct buf *line, struct slice text, bool always_quoted)
{
    struct buf scratch = BUF_INIT;
    text = replace_harmful(&scratch, text);
    if (always_quoted || needs_quotes(text))
        json_put_string(line, text);
    else
        buf_append_slice(line, text);
    buf_free(&scratch);
}

static void put_number(struct buf *line, double number, enum log_format format)
{
    if (isfinite(number))
        json_put_double(line, number);
    else if (format == LOG_JSON)
        json_put_null(line);
    else
        buf_append_str(line, isnan(number) ? "nan" : number > 0 ? "inf" : "-inf");
}

static void put_value(struct buf *line, const struct log_field *field, enum log_format format)
{
    switch (field->kind) {
    case LOG_FIELD_STR:
        put_text(line, field->str, format == LOG_JSON);
        break;
    case LOG_FIELD_INT:
        json_put_i64(line, field->integer);
        break;
    case LOG_FIELD_DOUBLE:
        put_number(line, field->number, format);
        break;
    case LOG_FIELD_BOOL:
        json_put_bool(line, field->integer != 0);
        break;
    }
}

static void put_line(struct buf *line, enum log_level level, const char *event, const struct log_field *fields,
                     enum log_format format)
{
    char now[CLOCK_ISO_SIZE];
    clock_format_iso(now, clock_wall_ms());
    if (format == LOG_JSON) {
        buf_printf(line, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":", now, level_names[level]);
        put_text(line, slice_of(event), true);
    } else {
        buf_printf(line, "%s %s %s", now, level_names[level], event);
    }
    for (; fields && fields->key; fields++) {
        if (format == LOG_JSON) {
            buf_append_char(line, ',');
            put_text(line, slice_of(fields->key), true);
            buf_append_char(line, ':');
        } else {
            buf_append_char(line, ' ');
            buf_append_str(line, fields->key);
            buf_append_char(line, '=');
        }
        put_value(line, fields, format);
    }
    buf_append_str(line, format == LOG_JSON ? "}\n" : "\n");
}

/* One write() takes the whole line wherever the system allows; a log that cannot be written must not stop the work. */
static void write_line(int fd, struct slice line)
{
    const int patience_ms = 1000;
    while (line.n > 0) {
        ssize_t written = write(fd, line.p, line.n);
        if (written >= 0) {
            line.p += written;
            line.n -= (size_t)written;
        } else if (errno == EAGAIN) {
            struct pollfd writable = {.fd = fd, .events = POLLOUT};
            if (poll(&writable, 1, patience_ms) == 0)
                return;
        } else if (errno != EINTR) {
            return;
        }
    }
}

bool log_wants(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&log_lowest, memory_order_relaxed);
}

void log_event(enum log_level level, const char *event, const struct log_field *fields)
{
    if (!log_wants(level))
        return;
    int saved_errno = errno;
    struct buf line = BUF_INIT;
    put_line(&line, level, event, fields, (enum log_format)atomic_load_explicit(&log_format, memory_order_relaxed));
    write_line(atomic_load_explicit(&log_fd, memory_order_relaxed), buf_slice(&line));
    buf_free(&line);
    errno = saved_errno;
}
