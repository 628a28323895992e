/* Flags where all instances see them: table feature_flags holds each flag's value, feature_flag_changes every change
 * that was ever made, who made it and why. A change is told by NOTIFY on the channel nof0_flags and written to Redis,
 * where instances find the values while Postgres is away. */
#ifndef NOF0_FLAGS_STORE_H
#define NOF0_FLAGS_STORE_H

#include "cache/keys.h"
#include "cache/redis_blocking.h"
#include "flags/flags.h"
#include "repo/session.h"

#define FLAG_CHANNEL "nof0_flags"

/* What is stored. */
struct flag_stored {
    bool set; /* false: the configuration's value holds */
    struct flag_value value;
    int64_t version; /* id of the last change; 0: never changed */
};

struct flag_store_rows {
    struct flag_stored flags[FLAG_COUNT];
    int64_t version; /* the highest of them */
};

/* Reads all. Flags that this program does not know, and values that it cannot read (a newer program's), are left out
 * and counted in *unknown (may be NULL). */
bool flag_store_load(struct session *session, struct flag_store_rows *rows, unsigned *unknown,
                     struct err *err) MUST_CHECK;

enum flag_origin { FLAG_BY_OPERATOR, FLAG_BY_PLAN, FLAG_BY_SYSTEM };

enum { FLAG_VERSION_ANY = -1 };

struct flag_change {
    enum flag flag;
    bool set; /* false: back to the configuration's value */
    struct flag_value value;
    enum flag_origin origin;
    struct slice actor;  /* who; 1 to 200 bytes of UTF-8 without control characters */
    struct slice reason; /* why; 1 to 1000 of the same */
    bool forced;         /* without the parity that its guard asks for */
    int64_t expected;    /* the version that the flag must have; FLAG_VERSION_ANY: any */
};

/* Makes the change and its row in the log in one transaction, and tells the others. *version receives the change's id.
 * When the flag already has that very value, nothing is changed and *version is the present one. ERR_CONFLICT when the
 * version is another than expected; ERR_INVALID for a bad actor or reason. */
bool flag_store_change(struct session *session, const struct flag_change *change, int64_t *version,
                       struct err *err) MUST_CHECK;

/* One row of the log; texts live for the call. */
struct flag_logged {
    int64_t id;
    enum flag flag;
    struct slice from, to; /* p is NULL: the configuration's value */
    struct slice origin;   /* "operator", "plan", "system" */
    struct slice actor, reason;
    bool forced;
    int64_t at_us; /* since 1970 */
};
typedef bool flag_logged_fn(void *arg, const struct flag_logged *logged);

/* Calls on_logged for the newest `most` changes of a flag (FLAG_COUNT: of all) with an id above `after`, newest first,
 * until it returns false. */
bool flag_store_history(struct session *session, enum flag flag, int64_t after, int64_t most, flag_logged_fn *on_logged,
                        void *arg, struct err *err) MUST_CHECK;

/* Calls on_logged for all changes with an id above `after`, oldest first, until it returns false. Ids are given in the
 * order of the commits, so that who asks again with the last id that he saw misses none. *newest (may be NULL) receives
 * the highest id in the log, 0 when it is empty. */
bool flag_store_follow(struct session *session, int64_t after, flag_logged_fn *on_logged, void *arg, int64_t *newest,
                       struct err *err) MUST_CHECK;

/* As flag_store_history for the newest change of each flag that was ever changed, newest first. */
bool flag_store_latest(struct session *session, flag_logged_fn *on_logged, void *arg, struct err *err) MUST_CHECK;

/* Writes the rows into Redis under the registered key, unless newer ones are there. */
bool flag_mirror_write(struct redisContext *link, const struct cache_space *space, const struct flag_store_rows *rows,
                       struct err *err) MUST_CHECK;
/* ERR_NOT_FOUND when there are none, ERR_INVALID when what is there is something else. What this program does not know
 * is left out. */
bool flag_mirror_read(struct redisContext *link, const struct cache_space *space, struct flag_store_rows *rows,
                      struct err *err) MUST_CHECK;

/* The mirror's text: {"version":9,"flags":{"read.trades":{"value":"repo","version":9},...}}, value null where the
 * configuration's holds, flags that were never changed left out. */
void flag_mirror_put(struct buf *out, const struct flag_store_rows *rows);
bool flag_mirror_parse(struct slice text, struct flag_store_rows *rows, struct err *err) MUST_CHECK;

/* The set that follows from the configuration's values, what is stored and what the environment says. `rows` and
 * `overrides` may be NULL: nothing is stored, nothing said. */
void flag_resolve(const struct flag_value defaults[FLAG_COUNT], const struct flag_store_rows *rows,
                  const struct flag_overrides *overrides, struct flag_set *set);

#endif
