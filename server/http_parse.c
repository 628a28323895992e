#include "server/http_parse.h"

enum {
    /* What a request line may hold beside its target: the longest method, two spaces, the version. */
    METHOD_MAX = 32,
    LINE_SLACK = METHOD_MAX + 16,
};

/* What a byte may be part of. */
enum {
    IN_TOKEN = 1,  /* tchar, RFC 9110 section 5.6.2 */
    IN_TARGET = 2, /* visible ASCII but "#": browsers send more than RFC 3986 allows */
    IN_VALUE = 4,  /* field-vchar, SP and HTAB, RFC 9110 section 5.5 */
    IN_HOST = 8,   /* uri-host and port, RFC 3986 section 3.2.2 */
};

#define ALNUM (IN_TOKEN | IN_TARGET | IN_VALUE | IN_HOST)
#define HIGH IN_VALUE

static const uint8_t byte_kind[256] = {
    ['\t'] = IN_VALUE,
    [' '] = IN_VALUE,
    ['!'] = ALNUM,
    ['"'] = IN_TARGET | IN_VALUE,
    ['#'] = IN_TOKEN | IN_VALUE,
    ['$'] = ALNUM,
    ['%'] = ALNUM,
    ['&'] = ALNUM,
    ['\''] = ALNUM,
    ['('] = IN_TARGET | IN_VALUE | IN_HOST,
    [')'] = IN_TARGET | IN_VALUE | IN_HOST,
    ['*'] = ALNUM,
    ['+'] = ALNUM,
    [','] = IN_TARGET | IN_VALUE | IN_HOST,
    ['-'] = ALNUM,
    ['.'] = ALNUM,
    ['/'] = IN_TARGET | IN_VALUE,
    ['0' ... '9'] = ALNUM,
    [':'] = IN_TARGET | IN_VALUE | IN_HOST,
    [';'] = IN_TARGET | IN_VALUE | IN_HOST,
    ['<'] = IN_TARGET | IN_VALUE,
    ['='] = IN_TARGET | IN_VALUE | IN_HOST,
    ['>'] = IN_TARGET | IN_VALUE,
    ['?'] = IN_TARGET | IN_VALUE,
    ['@'] = IN_TARGET | IN_VALUE,
    ['A' ... 'Z'] = ALNUM,
    ['['] = IN_TARGET | IN_VALUE | IN_HOST,
    ['\\'] = IN_TARGET | IN_VALUE,
    [']'] = IN_TARGET | IN_VALUE | IN_HOST,
    ['^'] = IN_TOKEN | IN_TARGET | IN_VALUE,
    ['_'] = ALNUM,
    ['`'] = IN_TOKEN | IN_TARGET | IN_VALUE,
    ['a' ... 'z'] = ALNUM,
    ['{'] = IN_TARGET | IN_VALUE,
    ['|'] = IN_TOKEN | IN_TARGET | IN_VALUE,
    ['}'] = IN_TARGET | IN_VALUE,
    ['~'] = ALNUM,
    [0x80 ... 0xff] = HIGH,
};

static bool all_are(struct slice s, unsigned kind)
{
    for (size_t i = 0; i < s.n; i++)
        if (!(byte_kind[(unsigned char)s.p[i]] & kind))
            return false;
    return true;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool http_same_name(struct slice a, struct slice b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

/* The parser's view during one call. */
struct reading {
    struct http_head *head;
    const char *bytes;
    const struct http_limits *limits;
};

static bool refuse(struct http_head *head, unsigned status, const char *reason)
{
    head->status = status;
    head->reason = reason;
    return false;
}

static struct http_span span_of(const struct reading *r, struct slice s)
{
    return (struct http_span){(uint32_t)(s.p - r->bytes), (uint32_t)s.n};
}

static struct slice behind(struct slice s, size_t n)
{
    return (struct slice){s.p + n, s.n - n};
}

static struct slice before(struct slice s, size_t n)
{
    return (struct slice){s.p, n};
}

static enum http_method method_of(struct slice name)
{
    static const struct {
        struct slice name;
        enum http_method method;
    } known[] = {
        {{"GET", 3}, HTTP_GET}, {{"HEAD", 4}, HTTP_HEAD},     {{"OPTIONS", 7}, HTTP_OPTIONS}, {{"POST", 4}, HTTP_POST},
        {{"PUT", 3}, HTTP_PUT}, {{"DELETE", 6}, HTTP_DELETE}, {{"PATCH", 5}, HTTP_PATCH},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (slice_equal(name, known[i].name))
            return known[i].method;
    return HTTP_OTHER;
}

static void take_path_and_query(const struct reading *r, struct slice target)
{
    const char *mark = target.n ? memchr(target.p, '?', target.n) : NULL;
    size_t path_size = mark ? (size_t)(mark - target.p) : target.n;
    r->head->path = span_of(r, before(target, path_size));
    r->head->query = span_of(r, behind(target, mark ? path_size + 1 : target.n));
}

/* absolute-form: the authority is checked and dropped; Host is what counts for us as for the sender (they must agree,
 * RFC 9112 section 3.2.2, and nothing here depends on either). */
static bool take_absolute_target(const struct reading *r, struct slice target)
{
    static const struct slice schemes[] = {{"http://", 7}, {"https://", 8}};
    for (size_t i = 0; i < 2; i++) {
        if (target.n <= schemes[i].n || !http_same_name(before(target, schemes[i].n), schemes[i]))
            continue;
        struct slice rest = behind(target, schemes[i].n);
        size_t authority = 0;
        while (authority < rest.n && rest.p[authority] != '/' && rest.p[authority] != '?')
            authority++;
        if (authority == 0 || !all_are(before(rest, authority), IN_HOST))
            break;
        take_path_and_query(r, behind(rest, authority));
        return true;
    }
    return refuse(r->head, 400, "the request target is malformed");
}

static bool take_target(const struct reading *r, struct slice method, struct slice target)
{
    if (target.n > r->limits->max_uri)
        return refuse(r->head, 414, "the request target is too long");
    if (target.n == 0 || !all_are(target, IN_TARGET))
        return refuse(r->head, 400, "the request target is malformed");
    if (slice_is(method, "CONNECT"))
        return refuse(r->head, 501, "CONNECT is not supported");
    if (target.p[0] == '/' || (slice_is(target, "*") && r->head->method == HTTP_OPTIONS)) {
        take_path_and_query(r, target);
        return true;
    }
    return take_absolute_target(r, target);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool take_version(const struct reading *r, struct slice version)
{
    if (version.n != 8 || memcmp(version.p, "HTTP/", 5) != 0 || !is_digit(version.p[5]) || version.p[6] != '.' ||
        !is_digit(version.p[7]))
        return refuse(r->head, 400, "the request line is malformed");
    if (version.p[5] != '1')
        return refuse(r->head, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    r->head->minor = version.p[7] == '0' ? 0 : 1;
    return true;
}

/* method SP request-target SP HTTP-version. The version is found from the end, so that a target with a space in it is
 * told from a missing version and refused. */
static bool take_request_line(const struct reading *r, struct slice line)
{
    const char *first = line.n ? memchr(line.p, ' ', line.n) : NULL;
    const char *last = line.n ? memrchr(line.p, ' ', line.n) : NULL;
    if (!first || first == last)
        return refuse(r->head, 400, "the request line is malformed");
    struct slice method = {line.p, (size_t)(first - line.p)};
    struct slice target = {first + 1, (size_t)(last - first - 1)};
    if (method.n == 0 || method.n > METHOD_MAX || !all_are(method, IN_TOKEN))
        return refuse(r->head, 400, "the method is malformed");
    if (!take_version(r, (struct slice){last + 1, (size_t)(line.p + line.n - last - 1)}))
        return false;
    r->head->method_name = span_of(r, method);
    r->head->method = method_of(method);
    return take_target(r, method, target);
}

static bool take_length(struct http_head *head, struct slice value)
{
    if (head->has_length)
        return refuse(head, 400, "Content-Length came twice");
    if (value.n == 0)
        return refuse(head, 400, "Content-Length is no number");
    uint64_t length = 0;
    for (size_t i = 0; i < value.n; i++) {
        if (!is_digit(value.p[i]))
            return refuse(head, 400, "Content-Length is no number");
        /* Stuck at the top: no limit is that high, so it is refused as too large. */
        length = length > (UINT64_MAX - 9) / 10 ? UINT64_MAX / 10 + 1 : length * 10 + (uint64_t)(value.p[i] - '0');
    }
    head->has_length = true;
    head->content_length = length;
    return true;
}

static bool take_transfer_encoding(struct http_head *head, struct slice value)
{
    if (head->has_transfer_encoding)
        return refuse(head, 400, "Transfer-Encoding came twice");
    if (value.n == 0)
        return refuse(head, 400, "Transfer-Encoding is empty");
    if (!http_same_name(value, SLICE("chunked")))
        return refuse(head, 501, "the transfer coding is not known");
    head->has_transfer_encoding = true;
    head->chunked = true;
    return true;
}

static void take_connection(struct http_head *head, struct slice value)
{
    for (size_t at = 0; at < value.n;) {
        size_t end = at;
        while (end < value.n && value.p[end] != ',')
            end++;
        struct slice option = {value.p + at, end - at};
        while (option.n && (option.p[0] == ' ' || option.p[0] == '\t'))
            option = behind(option, 1);
        while (option.n && (option.p[option.n - 1] == ' ' || option.p[option.n - 1] == '\t'))
            option.n--;
        if (http_same_name(option, SLICE("close")))
            head->says_close = true;
        else if (http_same_name(option, SLICE("keep-alive")))
            head->says_keep_alive = true;
        at = end + 1;
    }
}

static bool take_expect(struct http_head *head, struct slice value)
{
    if (!http_same_name(value, SLICE("100-continue")))
        return refuse(head, 417, "the expectation is not known");
    head->expects_continue = true;
    return true;
}

static bool take_host(struct http_head *head, struct slice value)
{
    if (head->has_host)
        return refuse(head, 400, "Host came twice");
    if (!all_are(value, IN_HOST))
        return refuse(head, 400, "Host is malformed");
    head->has_host = true;
    return true;
}

/* Acts on the fields that say how the request is framed and routed. */
static bool take_meaning(struct http_head *head, struct slice name, struct slice value)
{
    switch (name.n) {
    case 4:
        return !http_same_name(name, SLICE("Host")) || take_host(head, value);
    case 6:
        return !http_same_name(name, SLICE("Expect")) || take_expect(head, value);
    case 10:
        if (http_same_name(name, SLICE("Connection")))
            take_connection(head, value);
        return true;
    case 14:
        return !http_same_name(name, SLICE("Content-Length")) || take_length(head, value);
    case 17:
        return !http_same_name(name, SLICE("Transfer-Encoding")) || take_transfer_encoding(head, value);
    default:
        return true;
    }
}

static bool take_field(const struct reading *r, struct slice line)
{
    struct http_head *head = r->head;
    const char *colon = memchr(line.p, ':', line.n);
    size_t name_size = colon ? (size_t)(colon - line.p) : 0;
    struct slice name = before(line, name_size);
    if (name_size == 0 || !all_are(name, IN_TOKEN))
        return refuse(head, 400, "a header line is malformed");
    struct slice value = behind(line, name_size + 1);
    if (!all_are(value, IN_VALUE))
        return refuse(head, 400, "a header's value holds a control character");
    while (value.n && (value.p[0] == ' ' || value.p[0] == '\t'))
        value = behind(value, 1);
    while (value.n && (value.p[value.n - 1] == ' ' || value.p[value.n - 1] == '\t'))
        value.n--;
    if (head->field_count == HTTP_MAX_FIELDS)
        return refuse(head, 431, "there are too many headers");
    head->fields[head->field_count++] = (struct http_field){span_of(r, name), span_of(r, value)};
    return take_meaning(head, name, value);
}

static bool finish(struct http_head *head)
{
    if (head->minor > 0 && !head->has_host)
        return refuse(head, 400, "Host is missing");
    if (head->chunked && head->has_length)
        return refuse(head, 400, "Content-Length and Transfer-Encoding came together");
    if (head->chunked && head->minor == 0)
        return refuse(head, 400, "HTTP/1.0 knows no Transfer-Encoding");
    head->keep_alive = !head->says_close && (head->minor > 0 || head->says_keep_alive);
    /* RFC 9110 section 10.1.1: to be ignored from a 1.0 client. */
    if (head->minor == 0)
        head->expects_continue = false;
    return true;
}

/* A rule for the bytes of a line that holds whether or not its end has come, so that a line without end is refused in
 * time and the answer does not depend on where the bytes were cut. */
static bool line_within_limits(const struct reading *r, struct slice line)
{
    struct http_head *head = r->head;
    if (head->fields_start == 0) {
        if (line.n && !(byte_kind[(unsigned char)line.p[0]] & IN_TOKEN) && line.p[0] != '\r' && line.p[0] != '\n')
            return refuse(head, 400, "this is no HTTP request");
        if (line.n > r->limits->max_uri + LINE_SLACK)
            return refuse(head, 414, "the request target is too long");
        return true;
    }
    bool may_be_the_end = line.n == 0 || (line.n == 1 && line.p[0] == '\r');
    size_t size = (size_t)(line.p - r->bytes) - head->fields_start + line.n + 1; /* with its LF */
    if (size > r->limits->max_headers && !may_be_the_end)
        return refuse(head, 431, "the headers are too long");
    return true;
}

/* `line` still has its CR. *end: this was the empty line. */
static bool take_line(const struct reading *r, struct slice line, bool *end)
{
    struct http_head *head = r->head;
    if (!line_within_limits(r, line))
        return false;
    if (line.n == 0 || line.p[line.n - 1] != '\r')
        return refuse(head, 400, "a line does not end in CR LF");
    line.n--;
    uint32_t next = (uint32_t)(line.p + line.n + 2 - r->bytes);
    if (head->fields_start == 0) {
        /* RFC 9112 section 2.2: one empty line before the request is forgiven. */
        if (line.n == 0 && !head->skipped_empty_line) {
            head->skipped_empty_line = true;
            return true;
        }
        if (!take_request_line(r, line))
            return false;
        head->fields_start = next;
        return true;
    }
    if (line.n == 0) {
        *end = true;
        head->size = next;
        return finish(head);
    }
    return take_field(r, line);
}

void http_head_start(struct http_head *head)
{
    /* The fields stay as they are: field_count says that none is set. */
    memset(head, 0, offsetof(struct http_head, fields));
}

enum http_head_state http_head_read(struct http_head *head, const char *bytes, size_t n,
                                    const struct http_limits *limits)
{
    struct reading r = {head, bytes, limits};
    for (;;) {
        const char *lf = n > head->searched ? memchr(bytes + head->searched, '\n', n - head->searched) : NULL;
        struct slice line = {bytes + head->line_start, (lf ? (size_t)(lf - bytes) : n) - head->line_start};
        if (!lf) {
            head->searched = (uint32_t)n;
            return line_within_limits(&r, line) ? HTTP_HEAD_MORE : HTTP_HEAD_BAD;
        }
        bool end = false;
        if (!take_line(&r, line, &end))
            return HTTP_HEAD_BAD;
        head->line_start = head->searched = (uint32_t)(lf - bytes) + 1;
        if (end)
            return HTTP_HEAD_DONE;
    }
}
