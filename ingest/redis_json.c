#include "ingest/redis_json.h"

#include "base/buf.h"
#include "base/json_read.h"
#include "base/json_write.h"

#include <stdint.h>
#include <stdio.h>

/* The place under comparison and what was found there. */
struct finding {
    struct buf path;
    char *what;
    size_t size;
};

static bool tell(struct finding *finding, const char *sentence)
{
    (void)snprintf(finding->what, finding->size, "%s: %s", buf_cstr(&finding->path), sentence);
    return false;
}

static bool tell_values(struct finding *finding, const cJSON *expected, const cJSON *held)
{
    struct buf a = BUF_INIT;
    struct buf b = BUF_INIT;
    char sentence[200];
    json_put_cjson(&a, expected);
    json_put_cjson(&b, held);
    (void)snprintf(sentence, sizeof sentence, "is %.*s%s, should be %.*s%s", b.len > 80 ? 80 : (int)b.len, b.data,
                   b.len > 80 ? "..." : "", a.len > 80 ? 80 : (int)a.len, a.data, a.len > 80 ? "..." : "");
    buf_free(&a);
    buf_free(&b);
    return tell(finding, sentence);
}

static bool same(struct finding *finding, const cJSON *expected, const cJSON *held);

static bool same_member(struct finding *finding, const cJSON *expected, const cJSON *held, const char *key)
{
    size_t length = finding->path.len;
    buf_printf(&finding->path, ".%s", key);
    bool good = expected && held ? same(finding, expected, held)
                                 : tell(finding, expected ? "is missing" : "should not be there");
    if (good)
        finding->path.len = length;
    return good;
}

/* The member with the key, which mostly is the next one; NULL when there is none. */
static const cJSON *member(const cJSON *object, const cJSON *next, const char *key)
{
    if (next && strcmp(next->string, key) == 0)
        return next;
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static bool same_objects(struct finding *finding, const cJSON *expected, const cJSON *held)
{
    const cJSON *next = held->child;
    for (const cJSON *child = expected->child; child; child = child->next) {
        const cJSON *match = member(held, next, child->string);
        if (!same_member(finding, child, match, child->string))
            return false;
        next = match ? match->next : NULL;
    }
    next = expected->child;
    for (const cJSON *child = held->child; child; child = child->next) {
        const cJSON *match = member(expected, next, child->string);
        if (!match)
            return same_member(finding, NULL, child, child->string);
        next = match->next;
    }
    return true;
}

static bool same_arrays(struct finding *finding, const cJSON *expected, const cJSON *held)
{
    int expected_count = cJSON_GetArraySize(expected);
    int held_count = cJSON_GetArraySize(held);
    char sentence[80];
    size_t length = finding->path.len;
    const cJSON *other = held->child;
    size_t i = 0;
    for (const cJSON *child = expected->child; child && other; child = child->next, other = other->next, i++) {
        buf_printf(&finding->path, "[%zu]", i);
        if (!same(finding, child, other))
            return false;
        finding->path.len = length;
    }
    if (expected_count == held_count)
        return true;
    (void)snprintf(sentence, sizeof sentence, "has %d elements, should have %d", held_count, expected_count);
    return tell(finding, sentence);
}

static uint64_t bits_of(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

static bool same(struct finding *finding, const cJSON *expected, const cJSON *held)
{
    bool good;
    if ((expected->type & 0xff) != (held->type & 0xff))
        return tell_values(finding, expected, held);
    if (cJSON_IsObject(expected))
        return same_objects(finding, expected, held);
    if (cJSON_IsArray(expected))
        return same_arrays(finding, expected, held);
    if (cJSON_IsNumber(expected))
        good = bits_of(expected->valuedouble) == bits_of(held->valuedouble);
    else if (cJSON_IsString(expected))
        good = strcmp(expected->valuestring, held->valuestring) == 0;
    else
        return true; /* null, true, false: the type says all */
    return good || tell_values(finding, expected, held);
}

bool redis_json_same(struct slice expected, struct slice held, char *what, size_t size)
{
    struct err err;
    struct finding finding = {BUF_INIT, what, size};
    bool good = true;
    if (slice_equal(expected, held))
        return true;
    buf_append_char(&finding.path, '$');
    cJSON *a = json_parse(expected, &err);
    cJSON *b = a ? json_parse(held, &err) : NULL;
    if (b)
        good = same(&finding, a, b);
    else
        good = tell(&finding, a ? "is no JSON" : "has other bytes than it should");
    cJSON_Delete(a);
    cJSON_Delete(b);
    buf_free(&finding.path);
    return good;
}
