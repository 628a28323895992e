#include "server/admin_request.h"

#include "base/json_read.h"
#include "base/num.h"
#include "server/percent.h"

#include <string.h>

enum { HISTORY_DEFAULT = 100, HISTORY_MOST = 1000 };

static struct slice kept(struct arena *arena, const char *text)
{
    size_t n = strlen(text);
    return (struct slice){arena_strndup(arena, text, n), n};
}

/* The field of a key; NULL for one that is not known. */
static struct slice *text_field(struct admin_wish *wish, struct slice key, const char **name)
{
    static const char *const names[] = {"value", "reason", "actor"};
    struct slice *const fields[] = {&wish->value, &wish->reason, &wish->actor};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!slice_is(key, names[i]))
            continue;
        *name = names[i];
        return fields[i];
    }
    return NULL;
}

static enum admin_fault take_member(const cJSON *member, struct arena *arena, struct admin_wish *wish,
                                    const char **param, struct err *err)
{
    *param = NULL;
    struct slice *field = text_field(wish, slice_of(member->string), param);
    if (!field && strcmp(member->string, "force") != 0) {
        (void)err_set(err, ERR_INVALID, "there is no \"%.64s\" here", member->string);
        return ADMIN_INVALID;
    }
    if (!field) {
        *param = "force";
        wish->force = cJSON_IsTrue(member);
        if (cJSON_IsBool(member))
            return ADMIN_GOOD;
    } else if (cJSON_IsString(member)) {
        *field = kept(arena, member->valuestring);
        return ADMIN_GOOD;
    }
    (void)err_set(err, ERR_INVALID, "%s must be %s", *param, field ? "a text" : "true or false");
    return ADMIN_INVALID;
}

enum admin_fault admin_wish_parse(struct slice body, struct arena *arena, struct admin_wish *wish, const char **param,
                                  struct err *err)
{
    const char *name = NULL;
    *wish = (struct admin_wish){0};
    cJSON *document = json_parse(body, err);
    enum admin_fault fault = cJSON_IsObject(document) ? ADMIN_GOOD : ADMIN_MALFORMED;
    const cJSON *member = NULL;
    if (document && fault != ADMIN_GOOD)
        (void)err_set(err, ERR_INVALID, "the body must be a JSON object");
    cJSON_ArrayForEach(member, document)
    {
        if (fault == ADMIN_GOOD)
            fault = take_member(member, arena, wish, &name, err);
    }
    cJSON_Delete(document);
    if (param)
        *param = fault == ADMIN_INVALID ? name : NULL;
    return fault;
}

/* Cuts the next "key=value" off *query. */
static void next_pair(struct slice *query, struct slice *key, struct slice *value)
{
    const char *end = memchr(query->p, '&', query->n);
    struct slice pair = {query->p, end ? (size_t)(end - query->p) : query->n};
    *query = (struct slice){query->p + pair.n + (end ? 1 : 0), query->n - pair.n - (end ? 1 : 0)};
    const char *equals = pair.n ? memchr(pair.p, '=', pair.n) : NULL;
    *key = (struct slice){pair.p, equals ? (size_t)(equals - pair.p) : pair.n};
    *value = (struct slice){pair.p + key->n + (equals ? 1 : 0), pair.n - key->n - (equals ? 1 : 0)};
}

enum admin_fault admin_wish_of_query(struct slice query, struct arena *arena, struct admin_wish *wish,
                                     const char **param, struct err *err)
{
    *wish = (struct admin_wish){0};
    while (query.n) {
        struct slice key;
        struct slice value;
        const char *name = "force";
        next_pair(&query, &key, &value);
        struct slice *field = text_field(wish, key, &name);
        if (!field && !slice_is(key, "force"))
            continue;
        bool good = percent_decode(value, true, arena, &value);
        if (good && field)
            *field = value;
        else if (good) {
            wish->force = slice_is(value, "true");
            good = wish->force || slice_is(value, "false");
        }
        if (good)
            continue;
        if (param)
            *param = name;
        (void)err_set(err, ERR_INVALID, "%s cannot be read", name);
        return ADMIN_INVALID;
    }
    return ADMIN_GOOD;
}

/* "v12", quotes included. */
static bool version_of_tag(struct slice tag, int64_t *version)
{
    if (tag.n < 4 || tag.p[0] != '"' || tag.p[1] != 'v' || tag.p[tag.n - 1] != '"')
        return false;
    struct slice digits = {tag.p + 2, tag.n - 3};
    for (size_t i = 0; i < digits.n; i++)
        if (digits.p[i] < '0' || digits.p[i] > '9')
            return false;
    return num_parse_i64(digits, version);
}

static struct slice trimmed(struct slice text)
{
    while (text.n && (text.p[0] == ' ' || text.p[0] == '\t'))
        text = (struct slice){text.p + 1, text.n - 1};
    while (text.n && (text.p[text.n - 1] == ' ' || text.p[text.n - 1] == '\t'))
        text.n--;
    return text;
}

/* No validator of a flag has a comma in it, so the list may be cut at them. */
enum admin_match admin_if_match(struct slice header, int64_t present, int64_t *version)
{
    enum admin_match match = ADMIN_MATCH_NONE;
    if (slice_is(trimmed(header), "*"))
        return ADMIN_MATCH_ANY;
    while (header.n) {
        int64_t one = 0;
        const char *comma = memchr(header.p, ',', header.n);
        struct slice tag = {header.p, comma ? (size_t)(comma - header.p) : header.n};
        header = (struct slice){header.p + tag.n + (comma ? 1 : 0), header.n - tag.n - (comma ? 1 : 0)};
        if (!version_of_tag(trimmed(tag), &one) || (match == ADMIN_MATCH_VERSION && one != present))
            continue;
        match = ADMIN_MATCH_VERSION;
        *version = one;
    }
    return match;
}

bool admin_history_query(struct slice query, int64_t *limit, int64_t *after, const char **param)
{
    *limit = HISTORY_DEFAULT;
    *after = 0;
    while (query.n) {
        struct slice key;
        struct slice value;
        next_pair(&query, &key, &value);
        *param = slice_is(key, "limit") ? "limit" : "after";
        if (slice_is(key, "limit") && (!num_parse_i64(value, limit) || *limit < 1 || *limit > HISTORY_MOST))
            return false;
        if (slice_is(key, "after") && (!num_parse_i64(value, after) || *after < 0))
            return false;
    }
    return true;
}
