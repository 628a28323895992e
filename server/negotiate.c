#include "server/negotiate.h"

#include <strings.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct slice trim(struct slice s)
{
    while (s.n && is_blank(s.p[0]))
        s = (struct slice){s.p + 1, s.n - 1};
    while (s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

/* Cuts what stands before `separator` off *rest. */
static struct slice cut(struct slice *rest, char separator)
{
    const char *at = rest->n ? memchr(rest->p, separator, rest->n) : NULL;
    struct slice head = {rest->p, at ? (size_t)(at - rest->p) : rest->n};
    size_t taken = head.n + (at ? 1 : 0);
    *rest = (struct slice){rest->p ? rest->p + taken : NULL, rest->n - taken};
    return head;
}

static bool same_word(struct slice s, const char *word)
{
    return s.n == strlen(word) && strncasecmp(s.p, word, s.n) == 0;
}

/* A weight in thousandths: "0", "1", "0.5", "1.000" (RFC 9110, 12.4.2); -1 when it is none. */
static int parse_weight(struct slice s)
{
    if (s.n < 1 || s.n > 5 || (s.p[0] != '0' && s.p[0] != '1') || (s.n > 1 && s.p[1] != '.'))
        return -1;
    int weight = (s.p[0] - '0') * 1000;
    int unit = 100;
    for (size_t i = 2; i < s.n; i++, unit /= 10) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return -1;
        weight += (s.p[i] - '0') * unit;
    }
    return weight <= 1000 ? weight : -1;
}

bool negotiate_gzip(struct slice accept_encoding)
{
    int gzip = -1;
    int any = -1;
    int identity = -1;
    struct slice rest = accept_encoding;
    while (rest.n) {
        struct slice element = cut(&rest, ',');
        struct slice coding = trim(cut(&element, ';'));
        int weight = 1000;
        while (element.n) {
            struct slice value = trim(cut(&element, ';'));
            struct slice name = trim(cut(&value, '='));
            if (same_word(name, "q"))
                weight = parse_weight(trim(value));
        }
        if (weight < 0)
            continue;
        if (same_word(coding, "gzip") || same_word(coding, "x-gzip"))
            gzip = weight;
        else if (same_word(coding, "identity"))
            identity = weight;
        else if (same_word(coding, "*"))
            any = weight;
    }
    if (gzip < 0)
        gzip = any;
    return gzip > 0 && gzip >= identity;
}

/* An entity tag at the start of *rest without its "W/"; empty when there is none. */
static struct slice next_tag(struct slice *rest)
{
    struct slice s = *rest;
    if (s.n >= 2 && s.p[0] == 'W' && s.p[1] == '/')
        s = (struct slice){s.p + 2, s.n - 2};
    const char *end = s.n > 1 && s.p[0] == '"' ? memchr(s.p + 1, '"', s.n - 1) : NULL;
    if (!end)
        return (struct slice){NULL, 0};
    struct slice tag = {s.p, (size_t)(end - s.p) + 1};
    *rest = (struct slice){end + 1, s.n - tag.n};
    return tag;
}

bool negotiate_not_modified(struct slice if_none_match, const char *etag)
{
    struct slice own = slice_of(etag);
    own = next_tag(&own);
    struct slice rest = trim(if_none_match);
    if (slice_is(rest, "*"))
        return true;
    while (rest.n) {
        if (is_blank(rest.p[0]) || rest.p[0] == ',') {
            rest = (struct slice){rest.p + 1, rest.n - 1};
            continue;
        }
        struct slice tag = next_tag(&rest);
        if (!tag.p || !own.p)
            return false;
        if (slice_equal(tag, own))
            return true;
    }
    return false;
}
