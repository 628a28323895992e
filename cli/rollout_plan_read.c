#include "base/num.h"
#include "cli/parity_text.h"
#include "cli/rollout_plan.h"
#include "cli/rollout_time.h"

#include <inttypes.h>
#include <stdio.h>
#include <yaml.h>

enum {
    LONGEST = ROLLOUT_PLAN_BYTES,
    SHOWN_COLUMNS = 60,
    SOAK_DEFAULT_MS = 600000,
    COMPARISONS_DEFAULT = 1000,
    COMPARISONS_MOST = 1000000000,
    PARALLEL_MOST = 32,
    KEYS_MOST = 64, /* of a map; each is looked for among those before it */
};

/* --- Faults --- */

struct defaults {
    int64_t soak_ms;
    int64_t comparisons;
    bool back;
};

struct reader {
    const char *file;
    struct buf *faults;
    struct buf path; /* of the value that is being read */
    yaml_document_t document;
    struct rollout_plan *plan;
    struct defaults defaults;
    struct rollout_track common; /* the steps of endpoints that say none */
    bool faulty;
};

static void fault_at(struct reader *r, size_t line, const char *what)
{
    r->faulty = true;
    buf_printf(r->faults, "%s:%zu: ", r->file, line);
    if (r->path.len)
        buf_printf(r->faults, "%.*s: ", SLICE_ARG(buf_slice(&r->path)));
    buf_printf(r->faults, "%s\n", what);
}

static size_t line_of(const yaml_node_t *node)
{
    return node->start_mark.line + 1;
}

static void fault(struct reader *r, const yaml_node_t *node, const char *what)
{
    fault_at(r, line_of(node), what);
}

static void put_shown(struct buf *out, struct slice text)
{
    struct buf safe = BUF_INIT;
    parity_text_put(&safe, text);
    parity_text_cut_end(out, buf_slice(&safe), SHOWN_COLUMNS);
    buf_free(&safe);
}

static struct slice text_of(const yaml_node_t *node)
{
    return (struct slice){(const char *)node->data.scalar.value, node->data.scalar.length};
}

/* "is \"TEXT\", not WANTED". */
static void fault_value(struct reader *r, const yaml_node_t *node, const char *wanted)
{
    struct buf what = BUF_INIT;
    buf_append_str(&what, "is \"");
    put_shown(&what, text_of(node));
    buf_printf(&what, "\", not %s", wanted);
    fault(r, node, buf_cstr(&what));
    buf_free(&what);
}

/* Goes down to a member; returns what `leave` takes. */
static size_t enter(struct reader *r, struct slice key)
{
    size_t above = r->path.len;
    if (above)
        buf_append_char(&r->path, '.');
    put_shown(&r->path, key);
    return above;
}

static void leave(struct reader *r, size_t above)
{
    r->path.len = above;
}

/* --- Values --- */

static yaml_node_t *node_at(struct reader *r, int index)
{
    return yaml_document_get_node(&r->document, index);
}

static bool is_null(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (node->data.scalar.length == 0 || slice_is(text_of(node), "~") || slice_is(text_of(node), "null"));
}

static size_t pair_count(const yaml_node_t *map)
{
    return (size_t)(map->data.mapping.pairs.top - map->data.mapping.pairs.start);
}

/* Tells when the node is of another type than a `wanted` one, is a map of too many keys, or has a tag. */
static bool is_of_type(struct reader *r, const yaml_node_t *node, yaml_node_type_t type, const char *wanted)
{
    static const char *const tags[] = {[YAML_SCALAR_NODE] = YAML_DEFAULT_SCALAR_TAG,
                                       [YAML_SEQUENCE_NODE] = YAML_DEFAULT_SEQUENCE_TAG,
                                       [YAML_MAPPING_NODE] = YAML_DEFAULT_MAPPING_TAG};
    struct buf what = BUF_INIT;
    if (node->type != type || (type == YAML_SCALAR_NODE && is_null(node)))
        buf_printf(&what, "must be %s", wanted);
    else if (strcmp((const char *)node->tag, tags[type]) != 0)
        buf_append_str(&what, "has a tag (\"!...\"), which is not read");
    else if (type == YAML_MAPPING_NODE && pair_count(node) > KEYS_MOST)
        buf_printf(&what, "has %zu keys, more than %d", pair_count(node), KEYS_MOST);
    bool good = what.len == 0;
    if (!good)
        fault(r, node, buf_cstr(&what));
    buf_free(&what);
    return good;
}

static void take_name(struct reader *r, const yaml_node_t *node, void *into)
{
    static const char wanted[] = "1 to 64 letters, digits, '.', '_' or '-'";
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    struct rollout_plan *plan = into;
    if (!is_of_type(r, node, YAML_SCALAR_NODE, wanted))
        return;
    struct slice text = text_of(node);
    bool good = text.n >= 1 && text.n < ROLLOUT_NAME_SIZE;
    for (size_t i = 0; good && i < text.n; i++)
        good = text.p[i] && strchr(allowed, text.p[i]);
    if (!good) {
        fault_value(r, node, wanted);
    } else if (slice_is(text, ROLLOUT_CUTOVER)) {
        fault_value(r, node, "another name: this one is nof0ctl cutover's");
    } else {
        memcpy(plan->name, text.p, text.n);
        plan->name[text.n] = '\0';
    }
}

static bool take_integer(struct reader *r, const yaml_node_t *node, int64_t least, int64_t most, int64_t *value)
{
    char wanted[80];
    (void)snprintf(wanted, sizeof wanted, "a whole number from %" PRId64 " to %" PRId64, least, most);
    if (!is_of_type(r, node, YAML_SCALAR_NODE, wanted))
        return false;
    int64_t number;
    bool good = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && num_parse_i64(text_of(node), &number) &&
                number >= least && number <= most;
    if (good)
        *value = number;
    else
        fault_value(r, node, wanted);
    return good;
}

static void take_parallel(struct reader *r, const yaml_node_t *node, void *into)
{
    struct rollout_plan *plan = into;
    int64_t parallel;
    if (take_integer(r, node, 1, PARALLEL_MOST, &parallel))
        plan->parallel = (size_t)parallel;
}

static void take_time(struct reader *r, const yaml_node_t *node, int64_t *ms)
{
    static const char wanted[] = "a time (500ms, 10s, 5m, 2h, 7d; at most 90d)";
    if (is_of_type(r, node, YAML_SCALAR_NODE, wanted) && !rollout_time_parse(text_of(node), ms))
        fault_value(r, node, wanted);
}

static void take_back(struct reader *r, const yaml_node_t *node, bool *back)
{
    static const char wanted[] = "back or stay";
    if (!is_of_type(r, node, YAML_SCALAR_NODE, wanted))
        return;
    if (!slice_is(text_of(node), "back") && !slice_is(text_of(node), "stay"))
        fault_value(r, node, wanted);
    *back = !slice_is(text_of(node), "stay");
}

/* --- Maps --- */

typedef void take_fn(struct reader *r, const yaml_node_t *node, void *into);

struct key {
    const char *name;
    take_fn *take;
};

/* Tells of a member's key that is no word or came before, in a list of `count` pairs up to and without `at`. */
static bool is_good_key(struct reader *r, const yaml_node_t *map, const yaml_node_pair_t *at)
{
    const yaml_node_t *key = node_at(r, at->key);
    if (key->type != YAML_SCALAR_NODE || key->data.scalar.length == 0) {
        fault(r, key, "has a key that is no word");
        return false;
    }
    for (const yaml_node_pair_t *other = map->data.mapping.pairs.start; other < at; other++) {
        const yaml_node_t *earlier = node_at(r, other->key);
        if (earlier->type != YAML_SCALAR_NODE || !slice_equal(text_of(earlier), text_of(key)))
            continue;
        char what[80];
        (void)snprintf(what, sizeof what, "stands here a second time, first on line %zu", line_of(earlier));
        size_t above = enter(r, text_of(key));
        fault(r, key, what);
        leave(r, above);
        return false;
    }
    return true;
}

/* Gives each member to its key's function, and tells of keys that do not exist. False when it is no map. */
static bool read_map(struct reader *r, const yaml_node_t *map, const struct key *keys, size_t key_count, void *into)
{
    if (!is_of_type(r, map, YAML_MAPPING_NODE, "a map"))
        return false;
    for (const yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = node_at(r, pair->key);
        if (!is_good_key(r, map, pair))
            continue;
        size_t i = 0;
        while (i < key_count && !slice_is(text_of(key), keys[i].name))
            i++;
        size_t above = enter(r, text_of(key));
        if (i < key_count)
            keys[i].take(r, node_at(r, pair->value), into);
        else
            fault(r, key, "is no key of a rollout plan here");
        leave(r, above);
    }
    return true;
}

/* --- Steps --- */

/* A step as it is read: what it does not say comes from the defaults later. */
struct draft {
    struct rollout_step step;
    bool has_to;
    bool has_comparisons;
};

static void take_to(struct reader *r, const yaml_node_t *node, void *into)
{
    static const char wanted[] = "shadow, canary:N (percent, above 0 and up to 100, at most two decimals) or repo";
    struct draft *draft = into;
    draft->has_to = true; /* also when it is wrong, which is said once */
    if (!is_of_type(r, node, YAML_SCALAR_NODE, wanted))
        return;
    if (!flag_value_parse(FLAG_READ_TRADES, text_of(node), &draft->step.to, NULL) || draft->step.to.mode == FLAG_LEGACY)
        fault_value(r, node, wanted);
}

static void take_soak(struct reader *r, const yaml_node_t *node, void *into)
{
    take_time(r, node, &((struct draft *)into)->step.soak_ms);
}

static void take_comparisons(struct reader *r, const yaml_node_t *node, void *into)
{
    struct draft *draft = into;
    draft->has_comparisons = true;
    (void)take_integer(r, node, 0, COMPARISONS_MOST, &draft->step.comparisons);
}

static void check_step(struct reader *r, const yaml_node_t *node, const struct rollout_track *track,
                       struct draft *draft)
{
    bool repo = draft->step.to.mode == FLAG_REPO;
    if (!draft->has_to) {
        fault(r, node, "does not say where \"to\"");
        return;
    }
    if (repo && draft->has_comparisons && draft->step.comparisons > 0)
        fault(r, node, "asks for comparisons in repo, which has only a soak");
    if (repo)
        draft->step.comparisons = 0;
    if (track->step_count == 0)
        return;
    const struct rollout_step *before = &track->steps[track->step_count - 1];
    uint32_t ranks[2] = {rollout_rank(before->to), rollout_rank(draft->step.to)};
    if (ranks[0] == 0 || ranks[1] == 0 || ranks[1] > ranks[0]) /* 0: it was wrong, which was said */
        return;
    struct buf what = BUF_INIT;
    flag_value_put(&what, FLAG_READ_TRADES, draft->step.to);
    buf_append_str(&what, " does not lead on from ");
    flag_value_put(&what, FLAG_READ_TRADES, before->to);
    buf_append_str(&what, " of the step before");
    fault(r, node, buf_cstr(&what));
    buf_free(&what);
}

static void read_step(struct reader *r, const yaml_node_t *node, struct rollout_track *track)
{
    static const struct key keys[] = {{"to", take_to}, {"soak", take_soak}, {"comparisons", take_comparisons}};
    struct draft draft = {.step = {.soak_ms = r->defaults.soak_ms,
                                   .comparisons = r->defaults.comparisons,
                                   .line = (unsigned)line_of(node)}};
    if (!read_map(r, node, keys, sizeof keys / sizeof keys[0], &draft))
        return;
    check_step(r, node, track, &draft);
    track->steps[track->step_count++] = draft.step;
}

static void take_steps(struct reader *r, const yaml_node_t *node, void *into)
{
    struct rollout_track *track = into;
    if (!is_of_type(r, node, YAML_SEQUENCE_NODE, "a list of steps"))
        return;
    size_t count = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    if (count < 1 || count > ROLLOUT_STEPS_MAX) {
        char what[80];
        (void)snprintf(what, sizeof what, "has %zu steps, not 1 to %d", count, ROLLOUT_STEPS_MAX);
        fault(r, node, what);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        size_t above = r->path.len;
        buf_printf(&r->path, "[%zu]", i + 1);
        read_step(r, node_at(r, node->data.sequence.items.start[i]), track);
        leave(r, above);
    }
}

/* --- Defaults and endpoints --- */

static void take_default_soak(struct reader *r, const yaml_node_t *node, void *into)
{
    take_time(r, node, &((struct defaults *)into)->soak_ms);
}

static void take_default_comparisons(struct reader *r, const yaml_node_t *node, void *into)
{
    (void)take_integer(r, node, 0, COMPARISONS_MOST, &((struct defaults *)into)->comparisons);
}

static void take_default_back(struct reader *r, const yaml_node_t *node, void *into)
{
    take_back(r, node, &((struct defaults *)into)->back);
}

static void skip(struct reader *r, const yaml_node_t *node, void *into)
{
    (void)r;
    (void)node;
    (void)into;
}

static void take_defaults(struct reader *r, const yaml_node_t *node, void *into)
{
    (void)into;
    static const struct key keys[] = {
        {"soak", take_default_soak}, {"comparisons", take_default_comparisons}, {"on_difference", take_default_back}};
    (void)read_map(r, node, keys, sizeof keys / sizeof keys[0], &r->defaults);
}

static void take_common_steps(struct reader *r, const yaml_node_t *node, void *into)
{
    (void)into;
    take_steps(r, node, &r->common);
}

static void take_track_back(struct reader *r, const yaml_node_t *node, void *into)
{
    take_back(r, node, &((struct rollout_track *)into)->back);
}

static void add_track(struct reader *r, const yaml_node_t *node, enum flag flag)
{
    static const struct key keys[] = {{"steps", take_steps}, {"on_difference", take_track_back}};
    struct rollout_track *track = &r->plan->tracks[r->plan->track_count++];
    *track = (struct rollout_track){.flag = flag, .back = r->defaults.back};
    if (node && !is_null(node) && !read_map(r, node, keys, sizeof keys / sizeof keys[0], track))
        return;
    if (track->step_count == 0 && r->common.step_count) {
        memcpy(track->steps, r->common.steps, sizeof track->steps);
        track->step_count = r->common.step_count;
    } else if (track->step_count == 0 && !r->faulty) {
        fault_at(r, node ? line_of(node) : 1, "has no steps, and \"steps\" of the plan says none");
    }
}

static bool has_track(const struct rollout_plan *plan, enum flag flag)
{
    size_t i = 0;
    while (i < plan->track_count && plan->tracks[i].flag != flag)
        i++;
    return i < plan->track_count;
}

static void take_endpoints(struct reader *r, const yaml_node_t *node, void *into)
{
    (void)into;
    if (!is_of_type(r, node, YAML_MAPPING_NODE, "a map of endpoints"))
        return;
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = node_at(r, pair->key);
        if (!is_good_key(r, node, pair))
            continue;
        enum flag flag = rollout_flag_find(text_of(key));
        size_t above = enter(r, text_of(key));
        if (flag == FLAG_COUNT)
            fault(r, key, "is no endpoint (nof0ctl flags list: what stands behind \"read.\")");
        else if (has_track(r->plan, flag))
            fault(r, key, "is an endpoint that stands here already");
        else
            add_track(r, node_at(r, pair->value), flag);
        leave(r, above);
    }
    if (r->plan->track_count == 0 && !r->faulty)
        fault(r, node, "names no endpoint (left out: all of them)");
}

/* --- The file --- */

/* Defaults stand in the file where their writer likes; they are read first. */
static void read_plan(struct reader *r, const yaml_node_t *root)
{
    static const struct key first[] = {{"name", take_name},
                                       {"parallel", take_parallel},
                                       {"defaults", take_defaults},
                                       {"steps", skip},
                                       {"endpoints", skip}};
    if (!read_map(r, root, first, sizeof first / sizeof first[0], r->plan))
        return;
    const struct key then[] = {{"steps", take_common_steps}, {"endpoints", take_endpoints}};
    const yaml_node_t *endpoints = NULL;
    for (size_t k = 0; k < sizeof then / sizeof then[0]; k++) {
        for (const yaml_node_pair_t *pair = root->data.mapping.pairs.start; pair < root->data.mapping.pairs.top;
             pair++) {
            const yaml_node_t *key = node_at(r, pair->key);
            if (key->type != YAML_SCALAR_NODE || !slice_is(text_of(key), then[k].name))
                continue;
            size_t above = enter(r, text_of(key));
            then[k].take(r, node_at(r, pair->value), NULL);
            leave(r, above);
            endpoints = k ? key : endpoints;
            break; /* a second one was told of */
        }
    }
    if (!r->plan->name[0] && !r->faulty)
        fault(r, root, "has no \"name\"");
    for (enum flag flag = 0; !endpoints && flag < FLAG_COUNT && !r->faulty; flag++) {
        if (flag_kind(flag) == FLAG_KIND_READ)
            add_track(r, NULL, flag);
    }
}

static void fault_of_parser(struct reader *r, const yaml_parser_t *parser)
{
    struct buf what = BUF_INIT;
    const char *problem = parser->problem ? parser->problem : "cannot be read";
    if (parser->context)
        buf_printf(&what, "YAML: %s, %s", parser->context, problem);
    else
        buf_printf(&what, "YAML: %s", problem);
    fault_at(r, parser->problem_mark.line + 1, buf_cstr(&what));
    buf_free(&what);
}

static void read_documents(struct reader *r, yaml_parser_t *parser)
{
    if (!yaml_parser_load(parser, &r->document)) {
        fault_of_parser(r, parser);
        return;
    }
    const yaml_node_t *root = yaml_document_get_root_node(&r->document);
    bool empty = root == NULL;
    if (root)
        read_plan(r, root);
    else
        fault_at(r, 1, "is empty");
    yaml_document_delete(&r->document);
    if (empty)
        return;
    if (!yaml_parser_load(parser, &r->document)) {
        fault_of_parser(r, parser);
        return;
    }
    root = yaml_document_get_root_node(&r->document);
    if (root)
        fault(r, root, "a second YAML document, where only one is read");
    yaml_document_delete(&r->document);
}

bool rollout_plan_parse(struct slice yaml, const char *file, struct rollout_plan *plan, struct buf *faults)
{
    struct reader r = {.file = file,
                       .faults = faults,
                       .path = BUF_INIT,
                       .plan = plan,
                       .defaults = {SOAK_DEFAULT_MS, COMPARISONS_DEFAULT, true}};
    yaml_parser_t parser;
    *plan = (struct rollout_plan){.parallel = 1};
    if (yaml.n > LONGEST) {
        fault_at(&r, 1, "is longer than 256 KiB");
    } else if (!yaml_parser_initialize(&parser)) {
        fault_at(&r, 1, "no memory for the YAML reader");
    } else {
        yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&parser, (const unsigned char *)(yaml.p ? yaml.p : ""), yaml.n);
        read_documents(&r, &parser);
        yaml_parser_delete(&parser);
    }
    buf_free(&r.path);
    return !r.faulty;
}
