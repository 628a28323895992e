#include "cli/flags_state.h"

#include "server/flag_guard.h"

#include <unistd.h>

bool flags_view_load(const struct settings *settings, struct session *session, struct flag_view *view, struct err *err)
{
    settings_flags(settings, view->defaults);
    view->rows = (struct flag_store_rows){.version = 0};
    if (!flag_overrides_read(environ, &view->overrides, err) ||
        (session && !flag_store_load(session, &view->rows, NULL, err)))
        return false;
    flag_resolve(view->defaults, &view->rows, &view->overrides, &view->set);
    return true;
}

static struct slice keep(struct arena *arena, struct slice text)
{
    return text.p ? slice_of(arena_printf(arena, "%.*s", SLICE_ARG(text))) : text;
}

static bool take_change(void *arg, const struct flag_logged *logged)
{
    struct flags_state *state = arg;
    struct flag_logged *kept = &state->changed[logged->flag];
    *kept = *logged;
    kept->from = keep(state->arena, logged->from);
    kept->to = keep(state->arena, logged->to);
    kept->origin = keep(state->arena, logged->origin);
    kept->actor = keep(state->arena, logged->actor);
    kept->reason = keep(state->arena, logged->reason);
    return true;
}

static bool look_at_parity(const struct settings *settings, struct session *session, enum flag flag,
                           struct flags_parity *parity, struct err *err)
{
    struct parity_need need = flag_guard_need(settings, flag);
    for (size_t i = 0; i < need.endpoint_count; i++) {
        parity->endpoints[i] = need.endpoints[i];
        if (!parity_green_load(session, need.endpoints[i], need.age_s, &parity->green[i], err))
            return false;
    }
    parity->count = need.endpoint_count;
    return true;
}

bool flags_state_load(const struct settings *settings, struct session *session, enum flag flag,
                      struct flags_state *state, struct err *err)
{
    *state = (struct flags_state){.needed = settings->flags_guard_comparisons, .arena = arena_new(0)};
    if (session && !session_begin_snapshot(session, err))
        return false;
    bool good = flags_view_load(settings, session, &state->view, err) &&
                (!session || flag_store_latest(session, take_change, state, err));
    for (enum flag i = 0; session && good && i < FLAG_COUNT; i++) {
        bool rows_answer = state->view.set.states[i].value.mode == FLAG_REPO;
        if (flag_kind(i) == FLAG_KIND_READ && !rows_answer && (flag == FLAG_COUNT || flag == i))
            good = look_at_parity(settings, session, i, &state->parity[i], err);
    }
    if (session)
        session_rollback(session);
    return good;
}

void flags_state_free(struct flags_state *state)
{
    if (state->arena)
        arena_free(state->arena);
    state->arena = NULL;
}
