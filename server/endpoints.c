#include "server/endpoints.h"

#include "server/percent.h"

#include <math.h>
#include <stdio.h>

#define NO_MORE_PARAMS                                                                                                 \
    {                                                                                                                  \
        NULL, 0, 0, 0                                                                                                  \
    }

enum { POSITIONS_MODELS_DEFAULT = 1000, CONVERSATIONS_MAX = 1000 };

static const struct param_spec params_none[] = {NO_MORE_PARAMS};
static const struct param_spec params_account_totals[] = {{"lastHourlyMarker", PARAM_MIN_MARKER, 0, INT64_MAX},
                                                          NO_MORE_PARAMS};
static const struct param_spec params_positions[] = {{"limit", PARAM_LIMIT, 1, INT64_MAX}, NO_MORE_PARAMS};
static const struct param_spec params_trades[] = {{"model_id", PARAM_MODEL_ID, 0, 0},
                                                  {"limit", PARAM_LIMIT, 1, TRADES_PAGE_MAX},
                                                  {"before", PARAM_BEFORE, 0, 0},
                                                  {"after", PARAM_AFTER, 0, 0},
                                                  NO_MORE_PARAMS};
static const struct param_spec params_conversations[] = {
    {"model_id", PARAM_MODEL_ID, 0, 0}, {"limit", PARAM_LIMIT, 1, CONVERSATIONS_MAX}, NO_MORE_PARAMS};

const struct endpoint endpoints[READ_KIND_COUNT] = {
#define ENDPOINT(name_, path_, kind_, params_, assemble_, flag_, parity_, ttl_, max_age_, s_maxage_, stale_, time_)    \
    [kind_] = {.name = #name_,                                                                                         \
               .path = (path_),                                                                                        \
               .kind = (kind_),                                                                                        \
               .params = (params_),                                                                                    \
               .assemble = (assemble_),                                                                                \
               .parity_rules = (parity_),                                                                              \
               .flag = (flag_),                                                                                        \
               .ttl = ENDPOINT_TTL_##ttl_,                                                                             \
               .max_age = (max_age_),                                                                                  \
               .s_maxage = (s_maxage_),                                                                                \
               .stale = (stale_),                                                                                      \
               .time = ENDPOINT_TIME_##time_},
#include "server/endpoints.def"
#undef ENDPOINT
};

/* Cuts "/segment" off the front of *path; false when it does not begin with a slash. */
static bool cut_segment(struct slice *path, struct slice *segment)
{
    if (path->n == 0 || path->p[0] != '/')
        return false;
    const char *start = path->p + 1;
    const char *end = path->n > 1 ? memchr(start, '/', path->n - 1) : NULL;
    *segment = (struct slice){start, end ? (size_t)(end - start) : path->n - 1};
    *path = (struct slice){start + segment->n, path->n - 1 - segment->n};
    return true;
}

/* Segments are split before they are decoded, so that an encoded slash stays inside a model's id. */
static bool path_matches(const char *pattern, struct slice path, struct arena *arena, struct slice *model_id)
{
    struct slice wanted = slice_of(pattern);
    struct slice pattern_segment;
    struct slice segment;
    while (cut_segment(&wanted, &pattern_segment)) {
        if (!cut_segment(&path, &segment) || !percent_decode(segment, false, arena, &segment))
            return false;
        if (pattern_segment.n && pattern_segment.p[0] == '{') {
            if (!params_model_id_ok(segment))
                return false;
            *model_id = segment;
        } else if (!slice_equal(pattern_segment, segment)) {
            return false;
        }
    }
    return path.n == 0;
}

int64_t endpoint_default_limit(enum read_kind kind)
{
    return kind == READ_POSITIONS ? POSITIONS_MODELS_DEFAULT : READ_NO_LIMIT;
}

const struct endpoint *endpoints_match(struct slice path, struct arena *arena, struct read_query *query)
{
    for (size_t i = 0; i < READ_KIND_COUNT; i++) {
        struct slice model_id = {NULL, 0};
        if (!path_matches(endpoints[i].path, path, arena, &model_id))
            continue;
        *query = (struct read_query){
            .kind = endpoints[i].kind, .limit = endpoint_default_limit(endpoints[i].kind), .model_id = model_id};
        return &endpoints[i];
    }
    return NULL;
}

const char *endpoint_side_name(enum endpoint_side side)
{
    return side == ENDPOINT_REPO ? "repo" : "legacy";
}

bool endpoint_uses(const struct endpoint *endpoint, const struct flag_set *flags, enum endpoint_side side)
{
    struct flag_value value = endpoint_value(endpoint, flags);
    if (side == ENDPOINT_REPO)
        return value.mode == FLAG_REPO || value.mode == FLAG_CANARY;
    return value.mode != FLAG_REPO && !(value.mode == FLAG_CANARY && value.share == FLAG_SHARE_WHOLE);
}

bool endpoints_use(const struct flag_set *flags, enum endpoint_side side)
{
    for (size_t i = 0; i < READ_KIND_COUNT; i++) {
        if (endpoint_uses(&endpoints[i], flags, side))
            return true;
    }
    return false;
}

/* A factor such as 1/6 is not exact in binary; what is a whole second on paper must not become one more. */
static long long seconds_up(double seconds)
{
    return (long long)ceil(seconds - 1e-6);
}

char *endpoint_cache_control(const struct endpoint *endpoint, const struct settings *settings, enum flag_mode mode,
                             char out[ENDPOINT_CACHE_CONTROL_SIZE])
{
    const int64_t classes[] = {[ENDPOINT_TTL_SHORT] = settings->ttl_short_s,
                               [ENDPOINT_TTL_MEDIUM] = settings->ttl_medium_s,
                               [ENDPOINT_TTL_LONG] = settings->ttl_long_s};
    double base = (double)classes[endpoint->ttl];
    if (base <= 0) {
        (void)snprintf(out, ENDPOINT_CACHE_CONTROL_SIZE, "no-cache");
        return out;
    }
    if (mode == FLAG_CANARY) {
        (void)snprintf(out, ENDPOINT_CACHE_CONTROL_SIZE, "private, max-age=%lld, stale-while-revalidate=%lld",
                       seconds_up(base * endpoint->max_age), seconds_up(base * endpoint->stale));
        return out;
    }
    (void)snprintf(out, ENDPOINT_CACHE_CONTROL_SIZE, "public, max-age=%lld, s-maxage=%lld, stale-while-revalidate=%lld",
                   seconds_up(base * endpoint->max_age), seconds_up(base * endpoint->s_maxage),
                   seconds_up(base * endpoint->stale));
    return out;
}
