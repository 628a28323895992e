/* The endpoints of the API as a table (server/endpoints.def): everything that tells one from another, so that routing,
 * reading, caching headers, flags and metrics follow from a row. */
#ifndef NOF0_SERVER_ENDPOINTS_H
#define NOF0_SERVER_ENDPOINTS_H

#include "assembler/assembler.h"
#include "flags/flags.h"
#include "server/endpoint_rules.h"
#include "server/params.h"
#include "server/settings.h"

enum endpoint_ttl { ENDPOINT_TTL_SHORT, ENDPOINT_TTL_MEDIUM, ENDPOINT_TTL_LONG };
enum endpoint_time { ENDPOINT_TIME_NONE, ENDPOINT_TIME_LIVE, ENDPOINT_TIME_FILE };

/* The two sides that can answer: legacy files, and rows. */
enum endpoint_side { ENDPOINT_LEGACY, ENDPOINT_REPO, ENDPOINT_SIDES };
const char *endpoint_side_name(enum endpoint_side side); /* "legacy", "repo" */

struct endpoint {
    const char *name;
    const char *path;
    enum read_kind kind;
    enum flag flag; /* FLAG_READ_... */
    const struct param_spec *params;
    assemble_fn *assemble;
    const struct parity_rule *parity_rules;
    double max_age, s_maxage, stale; /* times the class's seconds */
    enum endpoint_ttl ttl;
    enum endpoint_time time;
};

/* All of them, indexed by enum read_kind. */
extern const struct endpoint endpoints[READ_KIND_COUNT];

/* The endpoint of a raw (percent-encoded) path, or NULL. Its defaults and the model's id from the path are then in
 * *query; the id lies in the arena or the path. A path with a broken escape or an impossible model id names nothing. */
const struct endpoint *endpoints_match(struct slice path, struct arena *arena, struct read_query *query);

/* The limit of a question that names none. */
int64_t endpoint_default_limit(enum read_kind kind);

/* How the endpoint reads under these flags. */
static inline struct flag_value endpoint_value(const struct endpoint *endpoint, const struct flag_set *flags)
{
    return flags->states[endpoint->flag].value;
}

/* Whether clients are answered from `side` under these flags, by any endpoint or this one. */
bool endpoint_uses(const struct endpoint *endpoint, const struct flag_set *flags, enum endpoint_side side);
bool endpoints_use(const struct flag_set *flags, enum endpoint_side side);

enum { ENDPOINT_CACHE_CONTROL_SIZE = 96 };

/* "public, max-age=10, s-maxage=10, stale-while-revalidate=60"; "no-cache" when the class is switched off. Seconds are
 * rounded up. Of a canary, whose answer depends on who asks: "private, max-age=10, stale-while-revalidate=60". Returns
 * out. */
char *endpoint_cache_control(const struct endpoint *endpoint, const struct settings *settings, enum flag_mode mode,
                             char out[ENDPOINT_CACHE_CONTROL_SIZE]);

#endif
