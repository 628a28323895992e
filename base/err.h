/* Errors are values: a code that callers branch on and a text that people read. A function that can fail takes
 * `struct err *err` last, returns false (or NULL), and has then filled *err. On the way up a caller may put its own
 * context in front with err_wrap. Nothing is logged until the edge (a request, a command, a thread's loop) is reached.
 */
#ifndef NOF0_BASE_ERR_H
#define NOF0_BASE_ERR_H

#include <stdbool.h>

enum err_code {
    ERR_NONE = 0,
    ERR_INVALID,     /* the input is wrong; the text names the place */
    ERR_NOT_FOUND,   /* what was asked for does not exist */
    ERR_CONFLICT,    /* it exists already, with other content, or somebody else holds it */
    ERR_REFUSED,     /* it could be done, but a rule forbids it now; the text says what is missing */
    ERR_LIMIT,       /* larger, deeper or more than the configured limit */
    ERR_UNAVAILABLE, /* a dependency is down; trying again later may help */
    ERR_TIMEOUT,     /* a dependency did not answer in time; trying again later may help */
    ERR_IO,          /* the operating system refused a read or write */
    ERR_INTERNAL,    /* nof0 itself is wrong */
};

struct err {
    enum err_code code;
    char text[500];
};

#define ERR_INIT                                                                                                       \
    {                                                                                                                  \
        ERR_NONE, ""                                                                                                   \
    }
#define MUST_CHECK __attribute__((warn_unused_result))

/* Fills *err (which may be NULL) and returns false, so that `return err_set(err, ...)` reads well. */
bool err_set(struct err *err, enum err_code code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* As err_set, with ": " and the text of errno value `number` after the text. Code ERR_IO. */
bool err_set_errno(struct err *err, int number, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts the formatted context and ": " in front of err->text; keeps the code. Returns false. */
bool err_wrap(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "invalid", "not_found", ...: stable names for logs and error documents. */
const char *err_code_name(enum err_code code);

#endif
