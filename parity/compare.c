#include "base/json_write.h"
#include "parity/compare_inside.h"
#include "parity/number.h"
#include "parity/text.h"

#include <stdlib.h>

/* Fewer equal bytes than this are looked at token by token. */
enum { JUMP_LEAST = 48 };

const char *parity_class_name(enum parity_class class)
{
    static const char *const names[PARITY_CLASS_COUNT] = {
        "value", "missing", "extra", "type", "order", "duplicate", "null-vs-absent",
    };
    return names[class];
}

uint64_t parity_counts_sum(const struct parity_counts *counts)
{
    uint64_t sum = 0;
    for (int class = 0; class < PARITY_CLASS_COUNT; class ++)
        sum += counts->differences[class];
    return sum;
}

/* -- Where we are ------------------------------------------------------------------------------------------------- */

/* The path up to frame `depth` is not what it was. */
static void forget_path(struct walker *w, int depth)
{
    if (w->path_depth > depth) {
        w->path.len = w->frames[depth].path_start;
        w->path_depth = depth;
    }
}

enum walk parity_walk_enter(struct walker *w, struct pair *pair, const struct parity_identity_keys *identity)
{
    if (w->depth == JSON_MAX_DEPTH)
        return parity_walk_bad(w, LEFT, pair->at[LEFT], "nested too deep");
    w->frames[w->depth++] = (struct frame){.identity = identity};
    pair->at[LEFT]++;
    pair->at[RIGHT]++;
    return WALK_ON;
}

void parity_walk_leave(struct walker *w)
{
    forget_path(w, w->depth - 1);
    w->depth--;
}

/* The rules that agree with the container of the innermost frame. */
static parity_rule_set rules_around(const struct walker *w)
{
    return w->depth > 1 ? w->frames[w->depth - 2].rules : w->places.all;
}

void parity_walk_at_member(struct walker *w, struct slice key)
{
    struct frame *frame = &w->frames[w->depth - 1];
    forget_path(w, w->depth - 1);
    frame->key = key;
    frame->rules = parity_places_member(&w->places, rules_around(w), w->depth - 1, key);
}

void parity_walk_at_element(struct walker *w, size_t index, struct slice element)
{
    struct frame *frame = &w->frames[w->depth - 1];
    forget_path(w, w->depth - 1);
    frame->index = index;
    frame->element = element;
    frame->rules = parity_places_element(&w->places, rules_around(w), w->depth - 1);
}

/* The rules that speak of this very place. */
static parity_rule_set rules_here(const struct walker *w)
{
    parity_rule_set agree = w->depth ? w->frames[w->depth - 1].rules : w->places.all;
    return agree ? agree & w->places.ends_at[w->depth] : 0;
}

static bool is_identifier(struct slice key)
{
    for (size_t i = 0; i < key.n; i++) {
        char c = key.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
            return false;
    }
    return key.n > 0;
}

static void put_member(struct buf *path, struct slice key)
{
    if (is_identifier(key)) {
        buf_append_char(path, '.');
        buf_append_slice(path, key);
        return;
    }
    struct buf plain = BUF_INIT;
    json_unescape(&plain, key);
    bool identifier = is_identifier(buf_slice(&plain));
    buf_append_str(path, identifier ? "." : "[");
    if (identifier)
        buf_append_slice(path, buf_slice(&plain));
    else
        json_put_string(path, buf_slice(&plain));
    buf_append_str(path, identifier ? "" : "]");
    buf_free(&plain);
}

static void put_element(struct buf *path, const struct frame *frame)
{
    if (frame->identity && frame->element.p) {
        struct parity_identity identity =
            parity_identity_of(frame->identity, frame->element.p, frame->element.p + frame->element.n);
        if (identity.alternative >= 0) {
            parity_identity_put(path, frame->identity, &identity);
            return;
        }
    }
    buf_printf(path, "[%zu]", frame->index);
}

static struct slice write_path(struct walker *w)
{
    if (w->path.len == 0)
        buf_append_char(&w->path, '$');
    for (; w->path_depth < w->depth; w->path_depth++) {
        struct frame *frame = &w->frames[w->path_depth];
        frame->path_start = w->path.len;
        if (frame->key.p)
            put_member(&w->path, frame->key);
        else
            put_element(&w->path, frame);
    }
    return buf_slice(&w->path);
}

/* -- What is found ------------------------------------------------------------------------------------------------ */

enum walk parity_walk_differ(struct walker *w, enum parity_class class, struct slice left, struct slice right)
{
    if (rules_here(w) & w->places.ignore)
        return WALK_ON;
    if (w->probing)
        return WALK_STOP;
    w->counts->differences[class]++;
    if (!w->silent) {
        struct parity_difference difference = {class, write_path(w), left, right};
        w->silent = !w->on_difference(w->arg, &difference);
    }
    return WALK_ON;
}

enum walk parity_walk_bad(struct walker *w, enum parity_side side, const char *at, const char *what)
{
    unsigned long line;
    unsigned long column;
    json_locate(w->text[side], (size_t)(at - w->text[side].p), &line, &column);
    (void)err_set(w->err, ERR_INVALID, "%s: line %lu, column %lu: %s", side == LEFT ? "left" : "right", line, column,
                  what);
    return WALK_STOP;
}

/* -- What is equal ------------------------------------------------------------------------------------------------ */

static void forget_run(struct walker *w)
{
    w->run = (struct pair){{NULL, NULL}};
    w->levels.used = w->levels_met = 0;
}

/* How many bytes are equal from here on. */
static size_t equal_bytes(struct walker *w, const struct pair *pair)
{
    if (w->run.at[LEFT]) {
        ptrdiff_t gone = pair->at[LEFT] - w->run.at[LEFT];
        if (gone >= 0 && (size_t)gone < w->run_length && pair->at[RIGHT] - w->run.at[RIGHT] == gone)
            return w->run_length - (size_t)gone;
    }
    forget_run(w);
    size_t left = (size_t)(w->end[LEFT] - pair->at[LEFT]);
    size_t right = (size_t)(w->end[RIGHT] - pair->at[RIGHT]);
    w->run = *pair;
    w->run_length = parity_scan_equal(pair->at[LEFT], pair->at[RIGHT], left < right ? left : right);
    return w->run_length;
}

enum walk parity_walk_jump(struct walker *w, struct pair *pair, const char *open, size_t *count, bool *ended)
{
    *ended = false;
    const char *from = pair->at[LEFT];
    size_t equal = equal_bytes(w, pair);
    if (from + equal == w->end[LEFT] && pair->at[RIGHT] + equal == w->end[RIGHT])
        return WALK_SAME;

    const char *to;
    const struct parity_level *level = &w->levels.level[w->levels_met];
    if (w->levels_met < w->levels.used && level->open == open) {
        w->levels_met++;
        to = level->last;
        *count += level->count;
    } else if (equal < JUMP_LEAST) {
        return WALK_ON;
    } else if ((to = parity_scan_siblings(from, from + equal, &w->levels))) {
        *ended = true;
    } else {
        w->levels_met = 1;
        to = w->levels.level[0].last;
        *count += w->levels.level[0].count;
    }
    pair->at[LEFT] = to;
    pair->at[RIGHT] += to - from;
    return WALK_ON;
}

enum walk parity_walk_take_commas(struct walker *w, struct pair *pair, char bracket, bool *ended, bool *apart)
{
    bool end[2];
    parity_walk_skip_space(w, pair);
    for (int side = LEFT; side <= RIGHT; side++) {
        char c = parity_walk_peek(w, (enum parity_side)side, pair);
        end[side] = c == bracket;
        if (!end[side] && c != ',')
            return parity_walk_bad(w, (enum parity_side)side, pair->at[side], "expected a comma or an end");
    }
    *ended = end[LEFT] && end[RIGHT];
    *apart = end[LEFT] != end[RIGHT];
    for (int side = LEFT; side <= RIGHT; side++)
        pair->at[side] += *ended || !end[side];
    return WALK_ON;
}

/* -- Values ------------------------------------------------------------------------------------------------------- */

enum kind { KIND_BAD, KIND_OBJECT, KIND_ARRAY, KIND_STRING, KIND_NUMBER, KIND_TRUTH, KIND_NULL };

static enum kind kind_of(char first)
{
    switch (first) {
    case '{':
        return KIND_OBJECT;
    case '[':
        return KIND_ARRAY;
    case '"':
        return KIND_STRING;
    case 't':
    case 'f':
        return KIND_TRUTH;
    case 'n':
        return KIND_NULL;
    default:
        return first == '-' || (first >= '0' && first <= '9') ? KIND_NUMBER : KIND_BAD;
    }
}

/* Steps over both values. */
static enum walk take_values(struct walker *w, struct pair *pair, struct slice value[2])
{
    for (int side = LEFT; side <= RIGHT; side++) {
        const char *from = pair->at[side];
        const char *behind = parity_scan_value(from, w->end[side]);
        if (!behind)
            return parity_walk_bad(w, (enum parity_side)side, from, "a value that does not end");
        value[side] = (struct slice){from, (size_t)(behind - from)};
        pair->at[side] = behind;
    }
    return WALK_ON;
}

static bool is_word(struct slice text, enum kind kind)
{
    return kind == KIND_NULL ? slice_is(text, "null") : slice_is(text, "true") || slice_is(text, "false");
}

static bool numbers_equal(const struct walker *w, struct slice left, struct slice right)
{
    if (parity_number_equal(left, right))
        return true;
    for (parity_rule_set near = rules_here(w) & w->places.near; near; near &= near - 1) {
        const struct parity_rule *rule = parity_places_first(&w->places, near);
        bool ulps = rule->kind == PARITY_ULPS;
        if (parity_number_near(left, right, ulps ? rule->tolerance : -1, ulps ? -1 : rule->tolerance))
            return true;
    }
    return false;
}

/* Values of one kind that holds no others. */
static enum walk compare_scalars(struct walker *w, struct pair *pair, enum kind kind)
{
    struct slice value[2] = {{NULL, 0}, {NULL, 0}};
    if (take_values(w, pair, value) == WALK_STOP)
        return WALK_STOP;
    bool equal = slice_equal(value[LEFT], value[RIGHT]);
    if (kind == KIND_STRING) {
        equal = equal || parity_text_equal(parity_text_inside(value[LEFT]), parity_text_inside(value[RIGHT]));
    } else if (kind == KIND_NUMBER) {
        equal = equal || numbers_equal(w, value[LEFT], value[RIGHT]);
    } else {
        for (int side = LEFT; side <= RIGHT; side++) {
            if (!is_word(value[side], kind))
                return parity_walk_bad(w, (enum parity_side)side, value[side].p, "expected a value");
        }
    }
    return equal ? WALK_ON : parity_walk_differ(w, PARITY_VALUE, value[LEFT], value[RIGHT]);
}

enum walk parity_walk_value(struct walker *w, struct pair *pair)
{
    enum kind kind[2];
    for (int side = LEFT; side <= RIGHT; side++) {
        kind[side] = kind_of(parity_walk_peek(w, (enum parity_side)side, pair));
        if (kind[side] == KIND_BAD)
            return parity_walk_bad(w, (enum parity_side)side, pair->at[side], "expected a value");
    }
    parity_rule_set rules = rules_here(w);
    if (kind[LEFT] != kind[RIGHT] || rules & w->places.ignore) {
        struct slice value[2] = {{NULL, 0}, {NULL, 0}};
        if (take_values(w, pair, value) == WALK_STOP)
            return WALK_STOP;
        return parity_walk_differ(w, PARITY_TYPE, value[LEFT], value[RIGHT]);
    }
    if (kind[LEFT] == KIND_OBJECT)
        return parity_walk_object(w, pair);
    if (kind[LEFT] == KIND_ARRAY) {
        parity_rule_set identity = rules & w->places.identity;
        return parity_walk_array(w, pair, identity ? &w->identities[__builtin_ctz(identity)] : NULL);
    }
    return compare_scalars(w, pair, kind[LEFT]);
}

enum walk parity_walk_ranges(struct walker *w, struct slice left, struct slice right)
{
    if (slice_equal(left, right))
        return WALK_ON;
    const char *end[2] = {w->end[LEFT], w->end[RIGHT]};
    w->end[LEFT] = left.p + left.n;
    w->end[RIGHT] = right.p + right.n;
    forget_run(w);
    struct pair pair = {{left.p, right.p}};
    enum walk walk = parity_walk_value(w, &pair);
    w->end[LEFT] = end[LEFT];
    w->end[RIGHT] = end[RIGHT];
    forget_run(w);
    return walk == WALK_STOP ? WALK_STOP : WALK_ON;
}

bool parity_walk_probe(struct walker *w, struct slice left, struct slice right)
{
    if (slice_equal(left, right))
        return true;
    int depth = w->depth;
    bool probing = w->probing;
    w->probing = true;
    bool equal = parity_walk_ranges(w, left, right) != WALK_STOP;
    w->probing = probing;
    while (w->depth > depth)
        parity_walk_leave(w);
    return equal;
}

/* -- Documents ---------------------------------------------------------------------------------------------------- */

static enum walk compare_documents(struct walker *w)
{
    struct pair pair = {{w->text[LEFT].p, w->text[RIGHT].p}};
    parity_walk_skip_space(w, &pair);
    for (int side = LEFT; side <= RIGHT; side++) {
        if (pair.at[side] == w->end[side])
            return parity_walk_bad(w, (enum parity_side)side, pair.at[side], "the text is empty");
    }
    if (slice_equal(w->text[LEFT], w->text[RIGHT]))
        return WALK_ON;
    enum walk walk = parity_walk_value(w, &pair);
    if (walk != WALK_ON)
        return walk;
    parity_walk_skip_space(w, &pair);
    for (int side = LEFT; side <= RIGHT; side++) {
        if (pair.at[side] != w->end[side])
            return parity_walk_bad(w, (enum parity_side)side, pair.at[side], "something follows the value");
    }
    return WALK_ON;
}

static bool read_rules(struct walker *w, const struct parity_rule *rules, struct err *err)
{
    if (!parity_places_read(&w->places, rules, err))
        return false;
    for (parity_rule_set set = w->places.identity; set; set &= set - 1) {
        int index = __builtin_ctz(set);
        if (!parity_identity_read_keys(&w->identities[index], w->places.rules[index].rule->keys, err))
            return false;
    }
    return true;
}

bool parity_compare(struct slice left, struct slice right, const struct parity_rule *rules,
                    parity_difference_fn *on_difference, void *arg, struct parity_counts *counts, struct err *err)
{
    *counts = (struct parity_counts){{0}};
    struct walker w;
    w.text[LEFT] = left.n ? left : SLICE("");
    w.text[RIGHT] = right.n ? right : SLICE("");
    for (int side = LEFT; side <= RIGHT; side++)
        w.end[side] = w.text[side].p + w.text[side].n;
    forget_run(&w);
    w.depth = w.path_depth = 0;
    w.path = (struct buf)BUF_INIT;
    w.members = NULL;
    w.member_count = w.member_capacity = 0;
    w.probing = false;
    w.silent = !on_difference;
    w.on_difference = on_difference;
    w.arg = arg;
    w.counts = counts;
    w.err = err;
    w.seed = parity_text_seed();
    bool compared = read_rules(&w, rules, err) && compare_documents(&w) != WALK_STOP;
    buf_free(&w.path);
    free(w.members);
    return compared;
}
