#include "parity/identity.h"

#include "base/json_write.h"
#include "base/num.h"
#include "parity/number.h"
#include "parity/scan.h"
#include "parity/text.h"

#include <math.h>

bool parity_identity_read_keys(struct parity_identity_keys *keys, const char *text, struct err *err)
{
    keys->alternatives = 0;
    for (const char *p = text;;) {
        if (keys->alternatives == PARITY_IDENTITY_ALTERNATIVES)
            break;
        int alternative = keys->alternatives++;
        keys->count[alternative] = 0;
        for (;; p++) {
            size_t n = strcspn(p, ",|");
            if (n == 0 || keys->count[alternative] == PARITY_IDENTITY_KEYS)
                goto bad;
            keys->key[alternative][keys->count[alternative]++] = (struct slice){p, n};
            p += n;
            if (*p != ',')
                break;
        }
        if (*p++ == '\0')
            return true;
    }
bad:
    return err_set(err, ERR_INTERNAL, "a rule for a comparison has unusable keys: %s", text);
}

struct search {
    const struct parity_identity_keys *keys;
    struct slice found[PARITY_IDENTITY_ALTERNATIVES][PARITY_IDENTITY_KEYS];
    int missing[PARITY_IDENTITY_ALTERNATIVES];
};

static bool can_tell_apart(char first)
{
    return first != '{' && first != '[' && first != 'n';
}

/* False when the first alternative is complete: nothing can change any more. */
static bool look_at_member(void *arg, struct slice key, struct slice value)
{
    struct search *search = arg;
    const struct parity_identity_keys *keys = search->keys;
    for (int i = 0; i < keys->alternatives; i++) {
        for (int k = 0; k < keys->count[i]; k++) {
            if (!search->found[i][k].p && can_tell_apart(value.p[0]) && parity_text_equal(key, keys->key[i][k])) {
                search->found[i][k] = value;
                search->missing[i]--;
            }
        }
    }
    return search->missing[0] > 0;
}

struct parity_identity parity_identity_of(const struct parity_identity_keys *keys, const char *p, const char *end)
{
    struct search search = {.keys = keys};
    for (int i = 0; i < keys->alternatives; i++)
        search.missing[i] = keys->count[i];
    struct parity_identity identity = {.alternative = -1};
    p = json_skip_space(p, end);
    if (p == end || *p != '{')
        return identity;
    (void)parity_scan_members(p + 1, end, look_at_member, &search);
    for (int i = 0; i < keys->alternatives; i++) {
        if (search.missing[i] == 0) {
            identity.alternative = i;
            memcpy(identity.value, search.found[i], sizeof identity.value);
            break;
        }
    }
    return identity;
}

static bool is_number(struct slice value)
{
    return value.p[0] == '-' || (value.p[0] >= '0' && value.p[0] <= '9');
}

static bool same_value(struct slice a, struct slice b)
{
    if (a.p[0] == '"' && b.p[0] == '"')
        return parity_text_equal(parity_text_inside(a), parity_text_inside(b));
    if (is_number(a) && is_number(b))
        return parity_number_equal(a, b);
    return slice_equal(a, b);
}

bool parity_identity_equal(const struct parity_identity_keys *keys, const struct parity_identity *a,
                           const struct parity_identity *b)
{
    if (a->alternative != b->alternative)
        return false;
    int count = a->alternative < 0 ? 0 : keys->count[a->alternative];
    for (int k = 0; k < count; k++) {
        if (!same_value(a->value[k], b->value[k]))
            return false;
    }
    return true;
}

uint64_t parity_identity_hash(const struct parity_identity_keys *keys, const struct parity_identity *identity,
                              uint64_t seed)
{
    uint64_t hash = seed ^ (uint64_t)(identity->alternative + 1);
    int count = identity->alternative < 0 ? 0 : keys->count[identity->alternative];
    for (int k = 0; k < count; k++) {
        struct slice value = identity->value[k];
        if (value.p[0] == '"')
            hash = parity_text_hash(parity_text_inside(value), hash);
        else if (is_number(value))
            hash = parity_number_hash(value, ~hash);
        else
            hash = XXH3_64bits_withSeed(value.p, value.n, hash + 1);
    }
    return hash;
}

/* Whether the text can stand in a path without quotes: nobody takes it for a number, a word, or the path's own signs.
 */
static bool is_plain(struct slice text)
{
    static const char signs[] = "_-.:/+@";
    double number;
    if (text.n == 0 || num_parse_double(text, &number) || slice_is(text, "true") || slice_is(text, "false"))
        return false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            !memchr(signs, c, sizeof signs - 1))
            return false;
    }
    return true;
}

static void put_value(struct buf *out, struct slice value)
{
    double number;
    if (value.p[0] != '"') {
        /* One spelling for every number that a double holds. */
        if (num_parse_double(value, &number) && fabs(number) < (double)NUM_EXACT_INTEGER_MAX)
            json_put_double(out, number);
        else
            buf_append_slice(out, value);
        return;
    }
    struct buf plain = BUF_INIT;
    json_unescape(&plain, parity_text_inside(value));
    if (is_plain(buf_slice(&plain)))
        buf_append_slice(out, buf_slice(&plain));
    else
        json_put_string(out, buf_slice(&plain));
    buf_free(&plain);
}

void parity_identity_put(struct buf *out, const struct parity_identity_keys *keys,
                         const struct parity_identity *identity)
{
    int alternative = identity->alternative;
    for (int k = 0; k < keys->count[alternative]; k++) {
        buf_append_char(out, k ? ',' : '[');
        buf_append_slice(out, keys->key[alternative][k]);
        buf_append_char(out, '=');
        put_value(out, identity->value[k]);
    }
    buf_append_char(out, ']');
}
