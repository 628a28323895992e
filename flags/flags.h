/* Feature flags: what they are (flags/flags.def), their values, and the set of all values at one moment. What a flag
 * means to an endpoint is the server's matter. */
#ifndef NOF0_FLAGS_FLAGS_H
#define NOF0_FLAGS_FLAGS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum flag {
#define FLAG_READ(symbol, name, about) FLAG_##symbol,
#define FLAG_SWITCH(symbol, name, about) FLAG_##symbol,
#include "flags/flags.def"
#undef FLAG_READ
#undef FLAG_SWITCH
    FLAG_COUNT,
};

enum flag_kind { FLAG_KIND_READ, FLAG_KIND_SWITCH };

const char *flag_name(enum flag flag);  /* "read.trades" */
const char *flag_about(enum flag flag); /* one line */
enum flag_kind flag_kind(enum flag flag);
/* FLAG_COUNT when no flag has the name. */
enum flag flag_find(struct slice name);

/* How an endpoint reads. Legacy: files answer. Shadow: files answer, and rows are compared with them off the client's
 * way. Canary: rows answer some of the clients, and both are compared. Repo: rows answer. */
enum flag_mode { FLAG_LEGACY, FLAG_SHADOW, FLAG_CANARY, FLAG_REPO };

enum { FLAG_SHARE_WHOLE = 10000 };

struct flag_value {
    enum flag_mode mode; /* of a FLAG_KIND_READ */
    uint32_t share;      /* of a canary: 1 to FLAG_SHARE_WHOLE, in hundredths of a percent; else 0 */
    bool on;             /* of a FLAG_KIND_SWITCH */
};

/* Reads "legacy", "shadow", "canary:5", "canary:0.25", "repo"; "on", "off". A canary is above 0 and at most 100
 * percent, with up to two decimals. ERR_INVALID says what is allowed. */
bool flag_value_parse(enum flag flag, struct slice text, struct flag_value *value, struct err *err) MUST_CHECK;
/* Appends the value as flag_value_parse takes it, in its shortest form. */
void flag_value_put(struct buf *out, enum flag flag, struct flag_value value);
bool flag_value_equal(struct flag_value a, struct flag_value b);

/* Where a client falls among FLAG_SHARE_WHOLE, always the same for the same key. Any bytes. */
uint32_t flag_bucket(struct slice client_key);

/* Whether rows answer a client: raising a canary's share never takes one back. */
static inline bool flag_reads_rows(struct flag_value value, uint32_t bucket)
{
    return value.mode == FLAG_REPO || (value.mode == FLAG_CANARY && bucket < value.share);
}

/* Where a value comes from, the later one winning. */
enum flag_source {
    FLAG_FROM_CONFIG,      /* nobody set it */
    FLAG_FROM_STORE,       /* feature_flags, or its mirror in Redis */
    FLAG_FROM_FALLBACK,    /* this process went back to legacy by itself, and could not write it down yet */
    FLAG_FROM_ENVIRONMENT, /* NOF0_FLAG_READ_TRADES and the like */
};
const char *flag_source_name(enum flag_source source); /* "config", "store", "fallback", "environment" */

struct flag_state {
    struct flag_value value;
    enum flag_source source;
    int64_t version; /* the id of its last change in the store; 0: never changed */
};

/* All values at one moment; immutable and counted, shared by threads. */
struct flag_set {
    struct flag_state states[FLAG_COUNT];
    int64_t version; /* the id of the last change to any flag; 0: none */
};
/* A copy on the heap, with one reference. */
struct flag_set *flag_set_new(const struct flag_set *content);
struct flag_set *flag_set_ref(struct flag_set *set);
void flag_set_unref(struct flag_set *set); /* NULL is fine */
bool flag_set_equal(const struct flag_set *a, const struct flag_set *b);

#define FLAG_VARIABLE_PREFIX "NOF0_FLAG_"

/* What the environment says: for each flag a value if NOF0_FLAG_<NAME> is set, its name in capitals with "_" for ".".
 * `environment` is environ's form. False with ERR_INVALID, which names the variable, when one cannot be read or
 * NOF0_FLAG_ is followed by no flag's name. */
struct flag_overrides {
    bool present[FLAG_COUNT];
    struct flag_value values[FLAG_COUNT];
};
bool flag_overrides_read(char *const *environment, struct flag_overrides *overrides, struct err *err) MUST_CHECK;

#endif
