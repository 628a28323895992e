/* Structured log lines: one event name with typed fields, written whole with one write() so that lines of several
 * threads never mix. Two forms: text for people ("... info server.ready url=http://... workers=2") and JSON for
 * collectors. Secrets never come here: callers pass masked values. */
#ifndef NOF0_BASE_LOG_H
#define NOF0_BASE_LOG_H

#include "base/err.h"
#include "base/slice.h"

#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

struct log_field {
    const char *key; /* NULL ends a list */
    enum { LOG_FIELD_STR, LOG_FIELD_INT, LOG_FIELD_DOUBLE, LOG_FIELD_BOOL } kind;
    struct slice str;
    int64_t integer;
    double number;
};

static inline struct log_field log_slice(const char *key, struct slice value)
{
    return (struct log_field){.key = key, .kind = LOG_FIELD_STR, .str = value};
}
static inline struct log_field log_str(const char *key, const char *value)
{
    return log_slice(key, slice_of(value));
}
static inline struct log_field log_int(const char *key, int64_t value)
{
    return (struct log_field){.key = key, .kind = LOG_FIELD_INT, .integer = value};
}
static inline struct log_field log_double(const char *key, double value)
{
    return (struct log_field){.key = key, .kind = LOG_FIELD_DOUBLE, .number = value};
}
static inline struct log_field log_bool(const char *key, bool value)
{
    return (struct log_field){.key = key, .kind = LOG_FIELD_BOOL, .integer = value};
}
/* The error's text under "error". */
static inline struct log_field log_error_text(const struct err *err)
{
    return log_str("error", err->text);
}

#define LOG_FIELDS(...) ((const struct log_field[]){__VA_ARGS__, {.key = NULL}})

/* Sets where lines go (a file descriptor, default 2), the lowest level written (default LOG_INFO) and their form.
 * May be called again at any time from any thread. */
void log_setup(int fd, enum log_level lowest, enum log_format format);

/* Whether a line of this level would be written: to spare the making of its fields. */
bool log_wants(enum log_level level);

/* Writes one line. `event` is a stable dotted name ("pool.reconnected"); `fields` is LOG_FIELDS(...) or NULL. */
void log_event(enum log_level level, const char *event, const struct log_field *fields);

#endif
