#include "cli/rollout_run.h"

#include "base/mem.h"
#include "cli/cli_flags.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum { PATIENCE_MS = 5000, COULD_NOT_RUN = 2 };

struct runner {
    const struct rollout_run_options *options;
    struct flag_overrides overrides;
    struct session *session; /* NULL: not connected */
    bool away;               /* Postgres is, and that was said */
    bool unmirrored;         /* Redis lacks changes, and that was said */
    bool looked;             /* there was a look, so waiting for Postgres makes sense */
    struct rollout_look look;
    struct rollout_position positions[FLAG_COUNT];
    char *refused[FLAG_COUNT];
    /* What the operator said yes to: the change of this flag from this version. */
    size_t confirmed;
    int64_t confirmed_version;
    bool any_confirmed;
};

/* How a look or a round of changes ended. */
enum outcome { GOOD, AWAY, FATAL, DECLINED };

static struct rollout_scene scene_of(const struct runner *runner)
{
    return (struct rollout_scene){.plan = runner->options->plan,
                                  .look = &runner->look,
                                  .positions = runner->positions,
                                  .refused = (const char *const *)runner->refused};
}

static void forget_refusals(struct runner *runner)
{
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        free(runner->refused[i]);
        runner->refused[i] = NULL;
    }
}

/* True when the wait was ended. */
static bool wait_or_stop(const struct runner *runner, int64_t ms)
{
    struct pollfd stop = {.fd = runner->options->stop_fd, .events = POLLIN};
    int n;
    do {
        n = poll(&stop, 1, (int)ms);
    } while (n < 0 && errno == EINTR);
    return n > 0;
}

/* What a failed call means: a Postgres that is away is waited for, once it was there. */
static enum outcome failed(struct runner *runner, const struct err *err)
{
    session_close(runner->session);
    runner->session = NULL;
    bool passes = err->code == ERR_UNAVAILABLE || err->code == ERR_TIMEOUT || err->code == ERR_CONFLICT;
    return passes && runner->looked && !runner->options->once && !runner->options->dry ? AWAY : FATAL;
}

static enum outcome look(struct runner *runner, struct err *err)
{
    const struct rollout_run_options *options = runner->options;
    if (!runner->session)
        runner->session = session_open_within(options->settings->postgres_dsn, PATIENCE_MS, err);
    if (!runner->session ||
        !rollout_look(runner->session, options->settings, &runner->overrides, options->plan, &runner->look, err))
        return failed(runner, err);
    runner->looked = true;
    rollout_judge(options->plan, runner->look.sights, runner->look.now_us, runner->positions);
    return GOOD;
}

/* Makes one change. *made says whether there is news to look at. */
static enum outcome change(struct runner *runner, size_t at, int64_t expected, struct flag_value to,
                           struct slice reason, int64_t *version, bool *made, struct err *err)
{
    const struct rollout_run_options *options = runner->options;
    if (rollout_change(runner->session, options->settings, options->plan, &options->plan->tracks[at], expected, to,
                       reason, version, err)) {
        *made = true;
        return GOOD;
    }
    if (err->code == ERR_REFUSED) {
        free(runner->refused[at]);
        runner->refused[at] = mem_strndup(err->text, strlen(err->text));
        return GOOD;
    }
    if (err->code != ERR_CONFLICT)
        return failed(runner, err);
    session_rollback(runner->session); /* somebody else changed it: the next look shows what */
    return GOOD;
}

/* Asks, if somebody wants to be asked, unless he said yes to this very change. */
static bool is_confirmed(struct runner *runner, size_t at)
{
    const struct rollout_run_options *options = runner->options;
    const struct rollout_sight *sight = &runner->look.sights[at];
    const struct rollout_position *position = &runner->positions[at];
    if (!options->confirm || position->returns)
        return true;
    return runner->any_confirmed && runner->confirmed == at && runner->confirmed_version == sight->version;
}

static enum outcome make_due_changes(struct runner *runner, bool *made, struct err *err)
{
    const struct rollout_run_options *options = runner->options;
    enum outcome outcome = GOOD;
    forget_refusals(runner);
    for (size_t i = 0; outcome == GOOD && runner->look.on && i < options->plan->track_count; i++) {
        const struct rollout_track *track = &options->plan->tracks[i];
        const struct rollout_sight *sight = &runner->look.sights[i];
        const struct rollout_position *position = &runner->positions[i];
        if (position->state != ROLLOUT_DUE)
            continue;
        if (!is_confirmed(runner, i)) {
            if (!options->confirm(options->arg, track, sight, position))
                return DECLINED;
            /* Time passed while he thought: what he agreed to must still be due at the next look. */
            runner->confirmed = i;
            runner->confirmed_version = sight->version;
            runner->any_confirmed = true;
            *made = true;
            continue;
        }
        struct buf reason = BUF_INIT;
        int64_t version;
        rollout_put_reason(&reason, track, sight, position);
        outcome = change(runner, i, sight->version, position->to, buf_slice(&reason), &version, made, err);
        buf_free(&reason);
    }
    return outcome;
}

/* A nof0d that hears of the changes writes them to Redis as well, so that a failure here is only told, once. */
static void mirror(struct runner *runner)
{
    struct err err = ERR_INIT;
    struct buf text = BUF_INIT;
    bool good = cli_flags_mirror(runner->options->settings, runner->session, &err);
    if (!good && !runner->unmirrored) {
        buf_printf(&text, "the mirror of flags in Redis lacks changes: %s", err.text);
        rollout_view_say(runner->options->view, "unmirrored", buf_cstr(&text));
    }
    runner->unmirrored = !good;
    buf_free(&text);
}

/* --- Going on with what was stopped or held --- */

static enum outcome resume_track(struct runner *runner, size_t at, struct err *err)
{
    const struct rollout_run_options *options = runner->options;
    const struct rollout_track *track = &options->plan->tracks[at];
    const struct rollout_sight *sight = &runner->look.sights[at];
    struct flag_value values[2];
    struct buf text = BUF_INIT;
    size_t count = rollout_resume(track, sight, runner->positions[at].state, values);
    int64_t version = sight->version;
    enum outcome outcome = GOOD;
    if (count == 0) {
        buf_printf(&text, "%s is neither stopped nor held: nothing to resume", rollout_flag_name(track->flag));
        rollout_view_say(options->view, "not_resumed", buf_cstr(&text));
    }
    buf_clear(&text);
    buf_printf(&text, "resumed: %s", options->reason);
    for (size_t i = 0; outcome == GOOD && !runner->refused[at] && i < count; i++) {
        bool made = false;
        int64_t expected = version;
        outcome = change(runner, at, expected, values[i], buf_slice(&text), &version, &made, err);
        if (version == expected)
            break; /* somebody else was faster */
    }
    if (count && outcome == GOOD && version != sight->version) {
        buf_clear(&text);
        buf_printf(&text, "%s goes on: %s", rollout_flag_name(track->flag), options->reason);
        rollout_view_say(options->view, "resumed", buf_cstr(&text));
    }
    buf_free(&text);
    return outcome;
}

static enum outcome resume(struct runner *runner, struct err *err)
{
    const struct rollout_run_options *options = runner->options;
    enum outcome outcome = GOOD;
    bool any = false;
    for (enum flag flag = 0; flag < FLAG_COUNT; flag++)
        any = any || options->resume[flag];
    if (!any)
        return GOOD;
    if (!runner->look.on) {
        err_set(err, ERR_REFUSED, "switch.rollout is off: nothing can be resumed");
        return FATAL;
    }
    for (size_t i = 0; outcome == GOOD && i < options->plan->track_count; i++) {
        if (options->resume[options->plan->tracks[i].flag])
            outcome = resume_track(runner, i, err);
    }
    if (outcome != GOOD)
        return outcome;
    mirror(runner);
    return look(runner, err);
}

/* --- The loop --- */

/* Says what would be done. */
static enum outcome rehearse(struct runner *runner, struct err *err)
{
    const struct rollout_run_options *options = runner->options;
    struct rollout_scene scene = scene_of(runner);
    rollout_view_stand(options->view, &scene);
    for (size_t i = 0; i < options->plan->track_count; i++) {
        const struct rollout_track *track = &options->plan->tracks[i];
        const struct rollout_sight *sight = &runner->look.sights[i];
        const struct rollout_position *position = &runner->positions[i];
        if (position->state != ROLLOUT_DUE)
            continue;
        struct buf text = BUF_INIT;
        bool passes = rollout_would_pass(runner->session, options->settings, track, sight->value, position->to, err);
        if (!passes && err->code != ERR_REFUSED) {
            buf_free(&text);
            return FATAL;
        }
        buf_printf(&text, "would set %s to ", flag_name(track->flag));
        flag_value_put(&text, track->flag, position->to);
        buf_append_str(&text, ": ");
        rollout_put_reason(&text, track, sight, position);
        if (!passes)
            buf_printf(&text, "; the guard refuses that now: %s", err->text);
        else if (!runner->look.on)
            buf_append_str(&text, "; not while switch.rollout is off");
        rollout_view_say(options->view, "would_set", buf_cstr(&text));
        buf_free(&text);
    }
    return GOOD;
}

static bool is_done(const struct runner *runner)
{
    for (size_t i = 0; i < runner->options->plan->track_count; i++)
        if (!rollout_is_over(runner->positions[i].state))
            return false;
    return true;
}

/* Says once that Postgres is away, and once that it is back. */
static void tell_of_postgres(struct runner *runner, bool away, const struct err *err)
{
    struct buf text = BUF_INIT;
    if (away == runner->away)
        return;
    runner->away = away;
    if (away)
        buf_printf(&text, "Postgres is away: %s; waiting for it", err->text);
    else
        buf_append_str(&text, "Postgres is back: goes on");
    rollout_view_say(runner->options->view, away ? "postgres_away" : "postgres_back", buf_cstr(&text));
    buf_free(&text);
}

/* One round: what is due is done and shown. */
static enum outcome round_of(struct runner *runner, bool *made, struct err *err)
{
    enum outcome outcome = look(runner, err);
    if (outcome != GOOD)
        return outcome;
    tell_of_postgres(runner, false, NULL);
    struct rollout_scene scene = scene_of(runner);
    rollout_view_show(runner->options->view, &scene);
    outcome = make_due_changes(runner, made, err);
    if (outcome == GOOD && *made)
        mirror(runner);
    else if (outcome == GOOD)
        rollout_view_show(runner->options->view, &scene); /* what was refused */
    return outcome;
}

static enum outcome run_on(struct runner *runner, struct err *err)
{
    const struct rollout_run_options *options = runner->options;
    for (;;) {
        bool made = false;
        enum outcome outcome = round_of(runner, &made, err);
        if (outcome == FATAL)
            return outcome;
        if (outcome == GOOD && is_done(runner))
            return GOOD;
        if (outcome == AWAY)
            tell_of_postgres(runner, true, err);
        bool at_once = outcome == GOOD && made;
        if (outcome == DECLINED || wait_or_stop(runner, at_once ? 0 : options->interval_ms)) {
            rollout_view_say(options->view, "interrupted",
                             "ended before all endpoints arrived: flags stay as they are; the same command goes on");
            return GOOD;
        }
    }
}

static enum outcome run_once(struct runner *runner, struct err *err)
{
    bool made = false;
    enum outcome outcome = round_of(runner, &made, err);
    if (outcome == GOOD && made)
        outcome = look(runner, err);
    struct rollout_scene scene = scene_of(runner);
    if (outcome == GOOD && made)
        rollout_view_show(runner->options->view, &scene);
    if (outcome == GOOD)
        rollout_view_stand(runner->options->view, &scene);
    return outcome;
}

int rollout_run(const struct rollout_run_options *options, struct err *err)
{
    struct runner *runner = mem_zalloc(sizeof *runner);
    runner->options = options;
    enum outcome outcome = flag_overrides_read(environ, &runner->overrides, err) ? GOOD : FATAL;
    if (outcome == GOOD)
        outcome = look(runner, err);
    if (outcome == GOOD && options->dry) {
        outcome = rehearse(runner, err);
    } else if (outcome == GOOD) {
        outcome = resume(runner, err);
        if (outcome == GOOD)
            outcome = options->once ? run_once(runner, err) : run_on(runner, err);
    }
    int code = outcome == GOOD ? rollout_code(runner->positions, options->plan->track_count) : COULD_NOT_RUN;
    if (outcome == GOOD && !options->once && !options->dry) {
        struct buf text = BUF_INIT;
        struct rollout_scene scene = scene_of(runner);
        rollout_put_summary(&text, &scene);
        rollout_view_stand(options->view, &scene);
        rollout_view_end(options->view, buf_cstr(&text));
        buf_free(&text);
    }
    forget_refusals(runner);
    session_close(runner->session);
    free(runner);
    return code;
}
