#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static __attribute__((format(printf, 3, 0))) void fill(struct err *err, enum err_code code, const char *format,
                                                       va_list arguments)
{
    err->code = code;
    (void)vsnprintf(err->text, sizeof err->text, format, arguments);
}

/* As much of `more` as fits. */
static void append(char *text, size_t size, const char *more)
{
    size_t used = strlen(text);
    size_t fits = strnlen(more, size - 1 - used);
    memcpy(text + used, more, fits);
    text[used + fits] = '\0';
}

bool err_set(struct err *err, enum err_code code, const char *format, ...)
{
    if (err) {
        va_list arguments;
        va_start(arguments, format);
        fill(err, code, format, arguments);
        va_end(arguments);
    }
    return false;
}

bool err_set_errno(struct err *err, int number, const char *format, ...)
{
    if (err) {
        va_list arguments;
        va_start(arguments, format);
        fill(err, ERR_IO, format, arguments);
        va_end(arguments);

        char reason[128];
        append(err->text, sizeof err->text, ": ");
        append(err->text, sizeof err->text, strerror_r(number, reason, sizeof reason));
    }
    return false;
}

bool err_wrap(struct err *err, const char *format, ...)
{
    if (err) {
        char context[sizeof err->text];
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(context, sizeof context, format, arguments);
        va_end(arguments);

        append(context, sizeof context, ": ");
        append(context, sizeof context, err->text);
        memcpy(err->text, context, sizeof context);
    }
    return false;
}

const char *err_code_name(enum err_code code)
{
    switch (code) {
    case ERR_NONE:
        return "none";
    case ERR_INVALID:
        return "invalid";
    case ERR_NOT_FOUND:
        return "not_found";
    case ERR_CONFLICT:
        return "conflict";
    case ERR_REFUSED:
        return "refused";
    case ERR_LIMIT:
        return "limit";
    case ERR_UNAVAILABLE:
        return "unavailable";
    case ERR_TIMEOUT:
        return "timeout";
    case ERR_IO:
        return "io";
    case ERR_INTERNAL:
        return "internal";
    }
    return "unknown";
}
