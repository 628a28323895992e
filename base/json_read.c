#include "base/json_read.h"

#include "base/hex.h"
#include "base/json_keys.h"
#include "base/num.h"
#include "base/utf8.h"

#include <stdint.h>
#include <stdio.h>

/* cJSON copies a number into 64 bytes before it converts it, and a longer one would not come through; up to 15 digits
 * need no look at their value, 17 are always beyond 2^53. */
enum { NUMBER_MAX = 63, DIGITS_SAFE = 15, DIGITS_MAX = 16 };

struct frame {
    bool is_object;
    size_t index;     /* array: of the newest element */
    struct slice key; /* object: the newest member's key, still escaped; p is NULL before the first */
    size_t first_key; /* object: its name for json_keys */
};

struct checker {
    const char *start;
    const char *end;
    const char *at;
    struct frame frames[JSON_MAX_DEPTH];
    int depth; /* open containers */

    json_fault_fn *on_fault;
    void *arg;
    bool any_fault;
    bool stopped;
    /* Line counting goes on from the last fault, so that many faults stay linear. */
    size_t located;
    size_t line_start;
    unsigned long line;

    struct json_keys keys;
};

/* -- Faults ------------------------------------------------------------------------------------------------------- */

/* A path is written from its end to its beginning, since a long one keeps its end. */
struct path_writer {
    char *first;
    char *at;
    bool cut;
};

static void path_put(struct path_writer *path, const char *bytes, size_t n)
{
    const ptrdiff_t dots = 3;
    for (size_t i = n; i-- > 0 && !path->cut;) {
        if (path->at - path->first <= dots)
            path->cut = true;
        else
            *--path->at = bytes[i];
    }
}

static bool is_plain_key(struct slice key)
{
    for (size_t i = 0; i < key.n; i++) {
        char c = key.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
            return false;
    }
    return key.n > 0;
}

/* The key with every byte that a line of text cannot bear replaced. */
static void path_put_key(struct path_writer *path, struct slice key)
{
    if (is_plain_key(key)) {
        path_put(path, key.p, key.n);
        path_put(path, ".", 1);
        return;
    }
    bool is_utf8 = true;
    for (size_t i = 0, n; is_utf8 && i < key.n; i += n) {
        n = utf8_length(key.p + i, key.p + key.n);
        is_utf8 = n > 0;
    }
    path_put(path, "\"]", 2);
    for (size_t i = key.n; i-- > 0 && !path->cut;) {
        unsigned char byte = (unsigned char)key.p[i];
        bool bad = byte < 0x20 || byte == 0x7F || (byte >= 0x80 && !is_utf8);
        path_put(path, bad ? "?" : key.p + i, 1);
    }
    path_put(path, "[\"", 2);
}

static void write_path(const struct checker *c, char *out, size_t size)
{
    struct path_writer path = {out, out + size - 1, false};
    *path.at = '\0';
    for (int i = c->depth; i-- > 0 && !path.cut;) {
        const struct frame *frame = &c->frames[i];
        if (!frame->is_object) {
            char index[24];
            int n = snprintf(index, sizeof index, "[%zu]", frame->index);
            path_put(&path, index, (size_t)n);
        } else if (frame->key.p) {
            path_put_key(&path, frame->key);
        }
    }
    path_put(&path, "$", 1);
    if (path.cut) {
        while (((unsigned char)*path.at & 0xC0) == 0x80)
            path.at++;
        path.at -= 3;
        memcpy(path.at, "...", 3);
    }
    memmove(out, path.at, strlen(path.at) + 1);
}

static void locate(struct checker *c, size_t offset, struct json_fault *fault)
{
    while (c->located < offset) {
        const char *newline = memchr(c->start + c->located, '\n', offset - c->located);
        if (!newline)
            break;
        c->located = c->line_start = (size_t)(newline - c->start) + 1;
        c->line++;
    }
    if (c->located < offset)
        c->located = offset;
    fault->offset = offset;
    fault->line = c->line;
    fault->column = (unsigned long)(offset - c->line_start) + 1;
}

static void report(struct checker *c, const char *where, const char *what)
{
    c->any_fault = true;
    if (!c->on_fault) {
        c->stopped = true;
        return;
    }
    struct json_fault fault;
    locate(c, (size_t)(where - c->start), &fault);
    write_path(c, fault.path, sizeof fault.path);
    (void)snprintf(fault.what, sizeof fault.what, "%s", what);
    if (!c->on_fault(c->arg, &fault))
        c->stopped = true;
}

/* A fault of grammar: nothing behind it can be read. Returns false. */
static bool give_up(struct checker *c, const char *where, const char *what)
{
    report(c, where, where == c->end ? "the text ends too early" : what);
    c->stopped = true;
    return false;
}

/* -- Scalars ------------------------------------------------------------------------------------------------------ */

struct string_scan {
    struct slice inside; /* between the quotes */
    bool escaped;
    const char *fault_at; /* the first fault of value, or NULL */
    const char *fault;
};

static void note_fault(struct string_scan *scan, const char *where, const char *what)
{
    if (!scan->fault_at) {
        scan->fault_at = where;
        scan->fault = what;
    }
}

static bool is_high_surrogate(int unit)
{
    return unit >= 0xD800 && unit <= 0xDBFF;
}

static bool is_low_surrogate(int unit)
{
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

static bool is_escape_letter(char c)
{
    return c == '"' || c == '\\' || c == '/' || c == 'b' || c == 'f' || c == 'n' || c == 'r' || c == 't';
}

/* Steps over an escape; c->at is on its backslash. */
static bool scan_escape(struct checker *c, struct string_scan *scan)
{
    const char *p = c->at + 1;
    if (p == c->end)
        return give_up(c, p, "");
    if (*p != 'u') {
        if (!is_escape_letter(*p))
            return give_up(c, c->at, "unknown escape");
        c->at = p + 1;
        return true;
    }
    int unit = hex_value4(p + 1, c->end);
    if (unit < 0)
        return give_up(c, c->at, "\\u without four hex digits");
    const char *next = p + 5;
    if (unit == 0) {
        note_fault(scan, c->at, "U+0000 cannot be stored");
    } else if (is_low_surrogate(unit)) {
        note_fault(scan, c->at, "lone surrogate");
    } else if (is_high_surrogate(unit)) {
        bool paired =
            c->end - next >= 2 && next[0] == '\\' && next[1] == 'u' && is_low_surrogate(hex_value4(next + 2, c->end));
        if (paired)
            next += 6;
        else
            note_fault(scan, c->at, "lone surrogate");
    }
    c->at = next;
    return true;
}

/* Steps over bytes that need no look: all but quote, backslash, control characters and what is beyond ASCII. Eight at a
 * time with the usual tricks on whole words, which may err only behind a byte that they rightly stop at. */
static const char *skip_plain(const char *p, const char *end)
{
    const uint64_t ones = 0x0101010101010101;
    const uint64_t tops = 0x8080808080808080;
    while (end - p >= 8) {
        uint64_t word;
        memcpy(&word, p, sizeof word);
        uint64_t quote = word ^ (ones * '"');
        uint64_t backslash = word ^ (ones * '\\');
        uint64_t stop =
            word | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) | ((word - ones * 0x20) & ~word);
        if (stop & tops)
            break;
        p += 8;
    }
    while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' && *p != '\\')
        p++;
    return p;
}

/* c->at is on the opening quote; afterwards behind the closing one. */
static bool scan_string(struct checker *c, struct string_scan *scan)
{
    *scan = (struct string_scan){0};
    const char *inside = ++c->at;
    for (;;) {
        c->at = skip_plain(c->at, c->end);
        if (c->at == c->end)
            return give_up(c, c->end, "");
        unsigned char byte = (unsigned char)*c->at;
        if (byte == '"')
            break;
        if (byte == '\\') {
            scan->escaped = true;
            if (!scan_escape(c, scan))
                return false;
        } else if (byte < 0x20) {
            return give_up(c, c->at, "control character inside a string");
        } else {
            size_t length = utf8_length(c->at, c->end);
            if (length == 0)
                note_fault(scan, c->at, "invalid UTF-8");
            c->at += length ? length : 1;
        }
    }
    scan->inside = (struct slice){inside, (size_t)(c->at - inside)};
    c->at++;
    return true;
}

static const char *skip_digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

static void check_number_value(struct checker *c, struct slice number, size_t digits, bool is_integer,
                               bool has_exponent)
{
    if (number.n > NUMBER_MAX) {
        report(c, number.p, "number of more than 63 characters");
    } else if (is_integer) {
        int64_t value = 0;
        if (digits <= DIGITS_SAFE)
            return;
        if (digits > DIGITS_MAX || !num_parse_i64(number, &value) || value > NUM_EXACT_INTEGER_MAX ||
            value < -NUM_EXACT_INTEGER_MAX)
            report(c, number.p, "integer beyond 2^53");
    } else if (has_exponent) {
        double value;
        if (!num_parse_double(number, &value))
            report(c, number.p, "number beyond the range of a double");
    }
}

static bool scan_number(struct checker *c)
{
    const char *start = c->at;
    const char *p = start + (*start == '-');
    const char *digits = p;
    p = skip_digits(p, c->end);
    size_t digit_count = (size_t)(p - digits);
    if (digit_count == 0)
        return give_up(c, p, "expected a digit");
    if (*digits == '0' && digit_count > 1)
        return give_up(c, start, "number with a leading zero");
    bool is_integer = true;
    bool has_exponent = false;
    if (p < c->end && *p == '.') {
        is_integer = false;
        const char *fraction = ++p;
        p = skip_digits(p, c->end);
        if (p == fraction)
            return give_up(c, p, "expected a digit");
    }
    if (p < c->end && (*p == 'e' || *p == 'E')) {
        is_integer = false;
        has_exponent = true;
        p++;
        if (p < c->end && (*p == '+' || *p == '-'))
            p++;
        const char *exponent = p;
        p = skip_digits(p, c->end);
        if (p == exponent)
            return give_up(c, p, "expected a digit");
    }
    c->at = p;
    check_number_value(c, (struct slice){start, (size_t)(p - start)}, digit_count, is_integer, has_exponent);
    return true;
}

static bool scan_word(struct checker *c, const char *word)
{
    for (size_t i = 0; word[i]; i++) {
        if (c->at + i == c->end || c->at[i] != word[i])
            return give_up(c, c->at + i == c->end ? c->end : c->at, "expected a value");
    }
    c->at += strlen(word);
    return true;
}

/* -- Structure ---------------------------------------------------------------------------------------------------- */

enum expectation { VALUE, ELEMENT_OR_END, MEMBER, MEMBER_OR_END, COMMA_OR_END };

static void skip_space(struct checker *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\t' || *c->at == '\r'))
        c->at++;
}

static bool open_container(struct checker *c, bool is_object)
{
    if (c->depth == JSON_MAX_DEPTH)
        return give_up(c, c->at, "nested deeper than 64");
    c->frames[c->depth++] = (struct frame){.is_object = is_object, .first_key = json_keys_begin(&c->keys)};
    c->at++;
    return true;
}

static void close_container(struct checker *c)
{
    struct frame *frame = &c->frames[--c->depth];
    if (frame->is_object)
        json_keys_end(&c->keys, frame->first_key);
    c->at++;
}

static bool check_value(struct checker *c, enum expectation *next)
{
    *next = COMMA_OR_END;
    switch (*c->at) {
    case '{':
        *next = MEMBER_OR_END;
        return open_container(c, true);
    case '[':
        *next = ELEMENT_OR_END;
        return open_container(c, false);
    case '"': {
        struct string_scan scan;
        if (!scan_string(c, &scan))
            return false;
        if (scan.fault_at)
            report(c, scan.fault_at, scan.fault);
        return true;
    }
    case 't':
        return scan_word(c, "true");
    case 'f':
        return scan_word(c, "false");
    case 'n':
        return scan_word(c, "null");
    default:
        if (*c->at == '-' || (*c->at >= '0' && *c->at <= '9'))
            return scan_number(c);
        return give_up(c, c->at, "expected a value");
    }
}

static bool check_key(struct checker *c)
{
    if (*c->at != '"')
        return give_up(c, c->at, "expected a key");
    const char *quote = c->at;
    struct string_scan scan;
    if (!scan_string(c, &scan))
        return false;
    struct frame *frame = &c->frames[c->depth - 1];
    frame->key = scan.inside;
    if (!json_keys_add(&c->keys, frame->first_key, scan.inside, scan.escaped))
        report(c, quote, "key twice in one object");
    if (scan.fault_at)
        report(c, scan.fault_at, scan.fault);
    skip_space(c);
    if (c->at == c->end || *c->at != ':')
        return give_up(c, c->at, "expected ':'");
    c->at++;
    return true;
}

static bool check_comma_or_end(struct checker *c, enum expectation *next)
{
    struct frame *frame = &c->frames[c->depth - 1];
    if (*c->at == ',') {
        c->at++;
        frame->index++;
        *next = frame->is_object ? MEMBER : VALUE;
        return true;
    }
    if (*c->at != (frame->is_object ? '}' : ']'))
        return give_up(c, c->at, frame->is_object ? "expected ',' or '}'" : "expected ',' or ']'");
    close_container(c);
    return true;
}

static void check_document(struct checker *c)
{
    if (c->end - c->start >= 3 && memcmp(c->start, "\xEF\xBB\xBF", 3) == 0) {
        (void)give_up(c, c->start, "a byte order mark");
        return;
    }
    enum expectation next = VALUE;
    while (!c->stopped) {
        skip_space(c);
        if (next == COMMA_OR_END && c->depth == 0) {
            if (c->at != c->end)
                (void)give_up(c, c->at, "something follows the value");
            return;
        }
        if (c->at == c->end) {
            (void)give_up(c, c->end, "");
            return;
        }
        if ((next == ELEMENT_OR_END && *c->at == ']') || (next == MEMBER_OR_END && *c->at == '}')) {
            close_container(c);
            next = COMMA_OR_END;
        } else if (next == MEMBER || next == MEMBER_OR_END) {
            (void)check_key(c);
            next = VALUE;
        } else if (next == COMMA_OR_END) {
            (void)check_comma_or_end(c, &next);
        } else {
            (void)check_value(c, &next);
        }
    }
}

bool json_check(struct slice text, json_fault_fn *on_fault, void *arg)
{
    struct checker c;
    c.start = c.at = text.n ? text.p : "";
    c.end = c.start + text.n;
    c.depth = 0;
    c.on_fault = on_fault;
    c.arg = arg;
    c.any_fault = c.stopped = false;
    c.located = c.line_start = 0;
    c.line = 1;
    json_keys_init(&c.keys);
    check_document(&c);
    json_keys_free(&c.keys);
    return !c.any_fault;
}

static bool keep_first_fault(void *arg, const struct json_fault *fault)
{
    (void)err_set(arg, ERR_INVALID, "line %lu, column %lu: %s: %s", fault->line, fault->column, fault->path,
                  fault->what);
    return false;
}

cJSON *json_parse(struct slice text, struct err *err)
{
    if (!json_check(text, keep_first_fault, err))
        return NULL;
    cJSON *tree = cJSON_ParseWithLengthOpts(text.p, text.n, NULL, false);
    if (!tree)
        (void)err_set(err, ERR_INTERNAL, "the JSON parser failed on a text that was found good");
    return tree;
}
