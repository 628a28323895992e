#include "cli/rollout_store.h"

#include "repo/cells.h"
#include "server/flag_guard.h"

struct taking {
    const struct rollout_plan *plan;
    struct rollout_look *look;
    const struct flag_value *configured;
    struct slice actor;
};

static size_t track_of(const struct rollout_plan *plan, enum flag flag)
{
    size_t i = 0;
    while (i < plan->track_count && plan->tracks[i].flag != flag)
        i++;
    return i;
}

/* A text of the log; one that somebody wrote by hand and is too long is cut between characters. */
static void keep(char *into, size_t size, struct slice text)
{
    size_t n = text.n < size ? text.n : size - 1;
    while (n < text.n && n > 0 && ((unsigned char)text.p[n] & 0xc0) == 0x80)
        n--;
    if (n)
        memcpy(into, text.p, n);
    into[n] = '\0';
}

static bool take_latest(void *arg, const struct flag_logged *logged)
{
    struct taking *taking = arg;
    size_t at = track_of(taking->plan, logged->flag);
    if (at == taking->plan->track_count)
        return true;
    struct rollout_sight *sight = &taking->look->sights[at];
    sight->since_us = logged->at_us;
    sight->ours = slice_is(logged->origin, "plan") && slice_equal(logged->actor, taking->actor);
    sight->from = taking->configured[logged->flag];
    if (logged->from.p && !flag_value_parse(logged->flag, logged->from, &sight->from, NULL))
        sight->from = (struct flag_value){.mode = FLAG_LEGACY}; /* a newer program's */
    keep(sight->by, sizeof sight->by, logged->actor);
    keep(sight->why, sizeof sight->why, logged->reason);
    return true;
}

/* Which flags the plan ever changed. */
static bool load_begun(struct session *session, struct taking *taking, struct err *err)
{
    struct arena *arena = arena_new(0);
    struct params params = params_on(arena);
    params_add_text(&params, taking->actor);
    PGresult *result = session_query(session,
                                     "SELECT DISTINCT name FROM feature_flag_changes"
                                     " WHERE origin = 'plan' AND actor = $1",
                                     &params, err);
    for (int i = 0; result && i < PQntuples(result); i++) {
        size_t at = track_of(taking->plan, flag_find(cell_text(result, i, 0)));
        if (at < taking->plan->track_count)
            taking->look->sights[at].begun = true;
    }
    PQclear(result);
    arena_free(arena);
    return result != NULL;
}

/* Whether the plan goes by what was compared since the flag's last change. Of an endpoint that arrived or is held,
 * which may be so for months, it does not, and need not sum it up each time. */
static bool goes_by_comparisons(const struct rollout_track *track, const struct rollout_sight *sight, int64_t now_us)
{
    const int64_t us_per_ms = 1000;
    int64_t soak_us = track->steps[track->step_count - 1].soak_ms * us_per_ms;
    bool arrived = sight->value.mode == FLAG_REPO && now_us - sight->since_us >= soak_us;
    return sight->since_us && sight->value.mode != FLAG_LEGACY && (sight->ours || !sight->begun) && !arrived;
}

/* What was compared since the flag's last change. */
static bool load_comparisons(struct session *session, const struct settings *settings, enum flag flag,
                             struct rollout_sight *sight, struct err *err)
{
    struct parity_need need = flag_guard_need(settings, flag);
    /* A stretch of comparisons that reaches over a step upwards speaks of both sides of it. What lies before the
     * beginning, or before a step back, was for the operator to see. */
    bool overlapping = rollout_rank(sight->from) > 0 && rollout_rank(sight->from) < rollout_rank(sight->value);
    for (size_t i = 0; i < need.endpoint_count; i++) {
        struct parity_tally tally;
        if (!parity_tally_load(session, need.endpoints[i], sight->since_us, 0, overlapping, &tally, err))
            return false;
        if (i == 0 || tally.comparisons < sight->comparisons)
            sight->comparisons = tally.comparisons;
        sight->mismatches += tally.mismatches;
        sight->failures += tally.failures;
        if (tally.mismatches && !sight->different)
            sight->different = need.endpoints[i];
    }
    return true;
}

static bool load_clock(struct session *session, int64_t *now_us, struct err *err)
{
    PGresult *result =
        session_query(session, "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint", NULL, err);
    if (result)
        *now_us = cell_i64(result, 0, 0).v;
    PQclear(result);
    return result != NULL;
}

static bool take_all(struct session *session, const struct settings *settings, const struct flag_overrides *overrides,
                     struct taking *taking, struct err *err)
{
    struct rollout_look *look = taking->look;
    struct flag_store_rows rows;
    struct flag_set set;
    if (!flag_store_load(session, &rows, NULL, err) || !load_clock(session, &look->now_us, err))
        return false;
    flag_resolve(taking->configured, &rows, overrides, &set);
    look->on = set.states[FLAG_SWITCH_ROLLOUT].value.on;
    for (size_t i = 0; i < taking->plan->track_count; i++) {
        enum flag flag = taking->plan->tracks[i].flag;
        look->sights[i].value = rows.flags[flag].set ? rows.flags[flag].value : taking->configured[flag];
        look->sights[i].version = rows.flags[flag].version;
    }
    if (!flag_store_latest(session, take_latest, taking, err) || !load_begun(session, taking, err))
        return false;
    for (size_t i = 0; i < taking->plan->track_count; i++) {
        if (goes_by_comparisons(&taking->plan->tracks[i], &look->sights[i], look->now_us) &&
            !load_comparisons(session, settings, taking->plan->tracks[i].flag, &look->sights[i], err))
            return false;
    }
    return true;
}

bool rollout_look(struct session *session, const struct settings *settings, const struct flag_overrides *overrides,
                  const struct rollout_plan *plan, struct rollout_look *look, struct err *err)
{
    struct flag_value configured[FLAG_COUNT];
    struct buf actor = BUF_INIT;
    settings_flags(settings, configured);
    rollout_put_actor(&actor, plan);
    *look = (struct rollout_look){.now_us = 0};
    struct taking taking = {.plan = plan, .look = look, .configured = configured, .actor = buf_slice(&actor)};
    bool good = session_begin_snapshot(session, err) && take_all(session, settings, overrides, &taking, err) &&
                session_commit(session, err);
    if (!good)
        session_rollback(session);
    buf_free(&actor);
    return good;
}

bool rollout_change(struct session *session, const struct settings *settings, const struct rollout_plan *plan,
                    const struct rollout_track *track, int64_t expected, struct flag_value to, struct slice reason,
                    int64_t *version, struct err *err)
{
    struct buf actor = BUF_INIT;
    rollout_put_actor(&actor, plan);
    const struct flag_change change = {.flag = track->flag,
                                       .set = true,
                                       .value = to,
                                       .origin = FLAG_BY_PLAN,
                                       .actor = buf_slice(&actor),
                                       .reason = reason,
                                       .expected = expected};
    bool good = flag_guard_change(settings, session, &change, version, err);
    buf_free(&actor);
    return good;
}

bool rollout_would_pass(struct session *session, const struct settings *settings, const struct rollout_track *track,
                        struct flag_value from, struct flag_value to, struct err *err)
{
    struct parity_need need = flag_guard_need(settings, track->flag);
    return !parity_guards(track->flag, from, to) || parity_need_met(session, &need, err);
}

void rollout_put_actor(struct buf *out, const struct rollout_plan *plan)
{
    buf_printf(out, ROLLOUT_ACTOR_PREFIX "%s", plan->name);
}
