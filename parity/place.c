#include "parity/place.h"

#include "parity/text.h"

/* Cuts the first segment off `place`: "[]" or what follows a point. False at the end and where it makes no sense. */
static bool cut_segment(struct slice *place, struct slice *segment)
{
    if (place->n >= 2 && memcmp(place->p, "[]", 2) == 0) {
        *segment = (struct slice){place->p, 2};
        *place = (struct slice){place->p + 2, place->n - 2};
        return true;
    }
    if (place->n < 2 || place->p[0] != '.')
        return false;
    size_t n = 1;
    while (n < place->n && place->p[n] != '.' && place->p[n] != '[')
        n++;
    *segment = (struct slice){place->p + 1, n - 1};
    *place = (struct slice){place->p + n, place->n - n};
    return n > 1;
}

static bool read_place(struct parity_place_rule *into, const struct parity_rule *rule)
{
    struct slice place = slice_of(rule->place);
    if (place.n == 0 || place.p[0] != '$')
        return false;
    *into = (struct parity_place_rule){.rule = rule};
    place.p++;
    place.n--;
    while (place.n && into->segments < PARITY_SEGMENTS_MAX && cut_segment(&place, &into->segment[into->segments]))
        into->segments++;
    return place.n == 0;
}

bool parity_places_read(struct parity_places *places, const struct parity_rule *rules, struct err *err)
{
    places->count = 0;
    places->all = places->ignore = places->identity = places->near = 0;
    memset(places->ends_at, 0, sizeof places->ends_at);
    for (; rules->kind != PARITY_RULES_END; rules++) {
        if (places->count == PARITY_RULES_MAX)
            return err_set(err, ERR_INTERNAL, "more than %d rules for a comparison", PARITY_RULES_MAX);
        struct parity_place_rule *into = &places->rules[places->count];
        if (!read_place(into, rules))
            return err_set(err, ERR_INTERNAL, "a rule for a comparison speaks of no place: %s", rules->place);
        parity_rule_set bit = (parity_rule_set)1 << places->count++;
        places->all |= bit;
        places->ends_at[into->segments] |= bit;
        if (rules->kind == PARITY_IGNORE)
            places->ignore |= bit;
        else if (rules->kind == PARITY_IDENTITY)
            places->identity |= bit;
        else
            places->near |= bit;
    }
    return true;
}

/* `key` is NULL for elements. */
static parity_rule_set step(const struct parity_places *places, parity_rule_set set, int depth, const struct slice *key)
{
    parity_rule_set agree = 0;
    for (; set; set &= set - 1) {
        parity_rule_set bit = set & (0 - set);
        const struct parity_place_rule *rule = &places->rules[__builtin_ctz(bit)];
        if ((unsigned)depth >= rule->segments)
            continue;
        struct slice segment = rule->segment[depth];
        bool elements = slice_equal(segment, SLICE("[]"));
        if (key ? !elements && (slice_equal(segment, SLICE("*")) || parity_text_equal(*key, segment)) : elements)
            agree |= bit;
    }
    return agree;
}

parity_rule_set parity_places_element(const struct parity_places *places, parity_rule_set set, int depth)
{
    return set ? step(places, set, depth, NULL) : 0;
}

parity_rule_set parity_places_member(const struct parity_places *places, parity_rule_set set, int depth,
                                     struct slice key)
{
    return set ? step(places, set, depth, &key) : 0;
}

const struct parity_rule *parity_places_first(const struct parity_places *places, parity_rule_set set)
{
    return set ? places->rules[__builtin_ctz(set)].rule : NULL;
}
