#include "cli/parity_check.h"

#include "base/clock.h"
#include "base/mem.h"
#include "cli/parity_rows.h"
#include "cli/parity_source.h"
#include "cli/parity_store.h"
#include "parity/trail.h"

#include <poll.h>
#include <stdlib.h>

enum {
    KEEP_LEAST = 4096, /* differences of a pair that are followed one by one, however few are to be shown */
    VALUE_BYTES = 512, /* of each value */
    LOOKS_A_CONFIRMATION = 3,
    PAUSE_MARGIN_MS = 500,
    US_PER_MS = 1000,
};

/* What is remembered of a pair from look to look; in the order of the endpoint's pairs. */
struct trail {
    struct parity_trail found;
    bool open; /* to be looked at again */
};

struct parity_check {
    struct parity_check_options options;
    struct parity_source *sources[2];
    struct parity_result result;
    struct trail *trails[READ_KIND_COUNT]; /* by the result's endpoints */
    bool moves;
};

const char *parity_verdict_name(enum parity_verdict verdict)
{
    static const char *const names[PARITY_VERDICT_COUNT] = {
        [PARITY_EQUAL] = "equal",         [PARITY_NOTHING] = "nothing",           [PARITY_UNSETTLED] = "unsettled",
        [PARITY_DIFFERENT] = "different", [PARITY_NOT_COMPARED] = "not compared",
    };
    return names[verdict];
}

int parity_result_code(const struct parity_result *result)
{
    enum parity_verdict worst = PARITY_EQUAL;
    bool anything = false;
    for (size_t i = 0; i < result->count; i++) {
        enum parity_verdict verdict = result->endpoints[i].verdict;
        worst = verdict > worst ? verdict : worst;
        anything = anything || verdict != PARITY_NOTHING;
    }
    if (worst == PARITY_NOT_COMPARED || (result->model && !anything))
        return 2;
    return worst == PARITY_DIFFERENT;
}

static int64_t now_us(void)
{
    return clock_wall_ms() * US_PER_MS;
}

/* --- The result's memory --- */

static void forget_result(struct parity_check *check)
{
    for (size_t i = 0; i < check->result.count; i++) {
        struct parity_endpoint *endpoint = &check->result.endpoints[i];
        for (size_t k = 0; k < endpoint->pair_count; k++) {
            free(endpoint->pairs[k].model);
            free(endpoint->pairs[k].reason);
            parity_findings_free(endpoint->pairs[k].findings);
            parity_trail_clear(&check->trails[i][k].found);
        }
        free(endpoint->pairs);
        free(check->trails[i]);
    }
    check->result.count = 0;
}

static void add_pair(struct parity_check *check, size_t at, struct slice model)
{
    struct parity_endpoint *endpoint = &check->result.endpoints[at];
    size_t count = endpoint->pair_count + 1;
    endpoint->pairs = mem_realloc(endpoint->pairs, count * sizeof *endpoint->pairs);
    check->trails[at] = mem_realloc(check->trails[at], count * sizeof *check->trails[at]);
    endpoint->pairs[count - 1] = (struct parity_pair){.model = model.p ? mem_strndup(model.p, model.n) : NULL};
    check->trails[at][count - 1] = (struct trail){0};
    endpoint->pair_count = count;
}

/* --- One look at one pair --- */

static void not_compared(struct parity_pair *pair, const char *who, const char *why)
{
    struct buf reason = BUF_INIT;
    buf_printf(&reason, "%s: %s", who, why);
    (void)buf_cstr(&reason);
    free(pair->reason);
    pair->reason = buf_take(&reason, NULL);
    pair->verdict = PARITY_NOT_COMPARED;
}

static struct parity_side *side_of(struct parity_pair *pair, int side)
{
    return side == 0 ? &pair->left : &pair->right;
}

/* Reads both documents. False when there is nothing to compare; the verdict then says why. */
static bool read_pair(const struct parity_check *check, const struct endpoint *endpoint, struct parity_pair *pair,
                      struct buf json[2])
{
    for (int i = 0; i < 2; i++) {
        struct parity_source *source = check->sources[i];
        struct err err = ERR_INIT;
        if (!source->ops->read(source, endpoint, slice_of(pair->model), &json[i], &err)) {
            not_compared(pair, source->name, err.text);
            return false;
        }
        side_of(pair, i)->bytes = json[i].len;
    }
    if (json[0].len && json[1].len)
        return true;
    if (json[0].len == json[1].len)
        pair->verdict = PARITY_NOTHING;
    else
        not_compared(pair, check->sources[json[0].len != 0]->name, "has nothing of it, and the other side has");
    return false;
}

/* Leaves of both documents what the options ask for. False when no row is left of the model. */
static bool narrow(const struct parity_check *check, const struct endpoint *endpoint, struct parity_pair *pair,
                   struct buf json[2])
{
    const struct parity_check_options *options = &check->options;
    for (int i = 0; i < 2; i++) {
        if (options->model)
            parity_rows_keep_model(endpoint->kind, slice_of(options->model), &json[i]);
        side_of(pair, i)->of_rows = parity_rows_count(endpoint->kind, buf_slice(&json[i]));
    }
    parity_rows_keep_sample(endpoint->kind, endpoint->parity_rules, &options->sample, &json[0], &json[1]);
    for (int i = 0; i < 2; i++)
        side_of(pair, i)->rows = parity_rows_count(endpoint->kind, buf_slice(&json[i]));
    return !options->model || pair->left.of_rows || pair->right.of_rows;
}

/* Follows a pair that differs: what counts is what every look shows. */
static void follow(const struct parity_check *check, struct trail *trail, struct parity_pair *pair,
                   struct parity_findings *now)
{
    pair->verdict = PARITY_UNSETTLED;
    pair->unsettled = parity_counts_sum(parity_findings_counts(now));
    parity_trail_follow(&trail->found, now);
    trail->open = check->moves && trail->found.confirmed < check->options.confirm;
    if (trail->open)
        return;
    pair->verdict = PARITY_DIFFERENT;
    uint64_t lasting = parity_counts_sum(parity_findings_counts(trail->found.held));
    pair->findings = trail->found.held;
    pair->unsettled = pair->unsettled > lasting ? pair->unsettled - lasting : 0;
    trail->found.held = NULL;
}

static void look_at_pair(const struct parity_check *check, const struct endpoint *endpoint, struct trail *trail,
                         struct parity_pair *pair)
{
    struct buf json[2] = {BUF_INIT, BUF_INIT};
    trail->open = false;
    pair->unsettled = 0;
    if (!read_pair(check, endpoint, pair, json))
        goto out;
    if (!narrow(check, endpoint, pair, json)) {
        pair->verdict = PARITY_NOTHING;
        goto out;
    }
    size_t keep = check->options.keep > KEEP_LEAST ? check->options.keep : KEEP_LEAST;
    struct parity_findings *now = parity_findings_new(keep, VALUE_BYTES);
    struct parity_counts counts;
    struct err err = ERR_INIT;
    if (!parity_compare(buf_slice(&json[0]), buf_slice(&json[1]), endpoint->parity_rules, parity_findings_add, now,
                        &counts, &err)) {
        not_compared(pair, "comparing", err.text);
        parity_findings_free(now);
        goto out;
    }
    if (parity_counts_sum(&counts) == 0) {
        pair->verdict = PARITY_EQUAL;
        parity_findings_free(now);
        goto out;
    }
    follow(check, trail, pair, now);
out:
    if (!trail->open)
        parity_trail_clear(&trail->found);
    buf_free(&json[0]);
    buf_free(&json[1]);
}

/* --- An endpoint --- */

static bool stopped(const struct parity_check *check)
{
    struct pollfd stop = {.fd = check->options.stop_fd, .events = POLLIN};
    return check->options.stop_fd >= 0 && poll(&stop, 1, 0) > 0;
}

/* The open pairs, or one that stands for the endpoint, are not compared. */
static void give_up(struct parity_check *check, size_t at, const char *who, const char *why)
{
    struct parity_endpoint *endpoint = &check->result.endpoints[at];
    if (endpoint->pair_count == 0) {
        add_pair(check, at, (struct slice){NULL, 0});
        check->trails[at][0].open = true;
    }
    struct trail *trails = check->trails[at];
    for (size_t i = 0; trails && i < endpoint->pair_count; i++) {
        if (trails[i].open)
            not_compared(&endpoint->pairs[i], who, why);
        trails[i].open = false;
    }
}

static bool look_at_sources(struct parity_check *check, size_t at)
{
    struct err err = ERR_INIT;
    for (int i = 0; i < 2; i++) {
        if (check->sources[i]->ops->look(check->sources[i], &err))
            continue;
        give_up(check, at, check->sources[i]->name, err.text);
        return false;
    }
    return true;
}

static bool has_name(const struct name_set *names, struct slice name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (slice_equal(names->names[i], name))
            return true;
    }
    return false;
}

/* A pair for each model that a side knows. */
static void add_models(struct parity_check *check, size_t at)
{
    struct name_set all = {0};
    size_t count[2] = {0, 0};
    bool good = true;
    for (int i = 0; i < 2 && good; i++) {
        struct name_set own = {0};
        struct err err = ERR_INIT;
        good = check->sources[i]->ops->models(check->sources[i], &own, &err);
        if (!good)
            give_up(check, at, check->sources[i]->name, err.text);
        count[i] = own.count;
        for (size_t k = 0; k < own.count; k++)
            name_set_add(&all, own.names[k]);
        name_set_free(&own);
    }
    const char *only = check->options.model;
    if (good && (count[0] == 0) != (count[1] == 0))
        give_up(check, at, check->sources[count[0] != 0]->name, "has nothing of it, and the other side has");
    else if (good && only && has_name(&all, slice_of(only)))
        add_pair(check, at, slice_of(only));
    for (size_t i = 0; good && !only && count[0] && count[1] && i < all.count; i++)
        add_pair(check, at, all.names[i]);
    name_set_free(&all);
}

/* The first look at an endpoint, or a further one at its open pairs. False when it was stopped. */
static bool look_at_endpoint(struct parity_check *check, size_t at, bool first)
{
    struct parity_endpoint *endpoint = &check->result.endpoints[at];
    if (first)
        endpoint->started_us = now_us();
    if (look_at_sources(check, at)) {
        if (first && endpoint->endpoint->kind == READ_ANALYTICS_ONE)
            add_models(check, at);
        else if (first)
            add_pair(check, at, (struct slice){NULL, 0});
        for (size_t i = 0; i < endpoint->pair_count && !stopped(check); i++) {
            struct trail *trail = &check->trails[at][i];
            if (trail->open || (first && endpoint->pairs[i].verdict != PARITY_NOT_COMPARED))
                look_at_pair(check, endpoint->endpoint, trail, &endpoint->pairs[i]);
        }
    }
    endpoint->ended_us = now_us();
    return !stopped(check);
}

static bool is_open(const struct parity_check *check, size_t at)
{
    for (size_t i = 0; i < check->result.endpoints[at].pair_count; i++) {
        if (check->trails[at][i].open)
            return true;
    }
    return false;
}

static void add_side(struct parity_side *sum, const struct parity_side *side)
{
    sum->bytes += side->bytes;
    sum->rows += side->rows;
    sum->of_rows += side->of_rows;
}

static void sum_up(struct parity_endpoint *endpoint)
{
    endpoint->verdict = endpoint->pair_count ? PARITY_EQUAL : PARITY_NOTHING;
    for (size_t i = 0; i < endpoint->pair_count; i++) {
        const struct parity_pair *pair = &endpoint->pairs[i];
        endpoint->verdict = pair->verdict > endpoint->verdict ? pair->verdict : endpoint->verdict;
        endpoint->comparisons += pair->verdict != PARITY_NOT_COMPARED && pair->verdict != PARITY_NOTHING;
        endpoint->mismatches += pair->verdict == PARITY_DIFFERENT;
        endpoint->moving += pair->verdict == PARITY_UNSETTLED;
        endpoint->failures += pair->verdict == PARITY_NOT_COMPARED;
        endpoint->unsettled += pair->unsettled;
        if (!endpoint->reason)
            endpoint->reason = pair->reason;
        add_side(&endpoint->left, &pair->left);
        add_side(&endpoint->right, &pair->right);
        for (size_t k = 0; pair->findings && k < PARITY_CLASS_COUNT; k++)
            endpoint->counts.differences[k] += parity_findings_counts(pair->findings)->differences[k];
    }
}

/* --- The check --- */

struct parity_check *parity_check_on(const struct parity_check_options *options, struct parity_source *left,
                                     struct parity_source *right)
{
    struct parity_check *check = mem_zalloc(sizeof *check);
    check->options = *options;
    check->sources[0] = left;
    check->sources[1] = right;
    check->moves = (parity_source_moves(left) || parity_source_moves(right)) && options->confirm > 0;
    check->result = (struct parity_result){
        .left = left->name, .right = right->name, .model = options->model, .sample = options->sample};
    if (options->pause_ms == PARITY_PAUSE_BY_SETTINGS)
        check->options.pause_ms =
            options->settings->legacy_write_delay_ms + options->settings->legacy_poll_ms + PAUSE_MARGIN_MS;
    return check;
}

struct parity_check *parity_check_open(const struct parity_check_options *options, struct err *err)
{
    struct parity_source *left = parity_source_open(options->left, options->settings, options->stop_fd, err);
    if (!left)
        return NULL;
    struct parity_source *right = parity_source_open(options->right, options->settings, options->stop_fd, err);
    if (!right) {
        parity_source_close(left);
        return NULL;
    }
    return parity_check_on(options, left, right);
}

void parity_check_close(struct parity_check *check)
{
    if (!check)
        return;
    forget_result(check);
    parity_source_close(check->sources[0]);
    parity_source_close(check->sources[1]);
    free(check);
}

/* Looks again at what differed, until everything is decided or has moved too often. False when it was stopped. */
static bool confirm(struct parity_check *check)
{
    for (int64_t i = 0; i < LOOKS_A_CONFIRMATION * check->options.confirm; i++) {
        bool any = false;
        for (size_t at = 0; at < check->result.count; at++)
            any = any || is_open(check, at);
        if (!any)
            break;
        struct pollfd stop = {.fd = check->options.stop_fd, .events = POLLIN};
        if (poll(&stop, 1, (int)check->options.pause_ms) > 0)
            return false;
        check->result.looks++;
        for (size_t at = 0; at < check->result.count; at++) {
            if (is_open(check, at) && !look_at_endpoint(check, at, false))
                return false;
        }
    }
    return true;
}

const struct parity_result *parity_check_run(struct parity_check *check)
{
    struct parity_result *result = &check->result;
    forget_result(check);
    result->started_us = now_us();
    result->looks = 1;
    for (size_t kind = 0; kind < READ_KIND_COUNT; kind++) {
        if (!check->options.endpoints[kind])
            continue;
        size_t at = result->count++;
        check->trails[at] = NULL;
        result->endpoints[at] = (struct parity_endpoint){.endpoint = &endpoints[kind]};
        if (!look_at_endpoint(check, at, true))
            return NULL;
    }
    if (!confirm(check))
        return NULL;
    for (size_t at = 0; at < result->count; at++)
        sum_up(&result->endpoints[at]);
    result->ended_us = now_us();
    return result;
}

static bool is_of_the_stores(const struct parity_check *check)
{
    unsigned kinds = 1U << check->sources[0]->kind | 1U << check->sources[1]->kind;
    return kinds == (1U << PARITY_FROM_LEGACY | 1U << PARITY_FROM_REPO);
}

bool parity_check_store(const struct parity_check *check, struct err *err)
{
    uint64_t compared = 0;
    for (size_t i = 0; i < check->result.count; i++)
        compared += check->result.endpoints[i].comparisons;
    if (!is_of_the_stores(check) || check->options.model || check->options.sample.kind != PARITY_SAMPLE_ALL ||
        compared == 0)
        return true;
    return parity_result_store(&check->result, check->options.settings, err);
}
