#include "cli/rollout_stations.h"

#include "base/clock.h"
#include "cli/rollout_time.h"
#include "server/flag_guard.h"

#include <inttypes.h>

enum { US_PER_MS = 1000 };

/* --- The plan --- */

static void add_track(struct rollout_plan *plan, enum flag flag, struct flag_value to, int64_t soak_ms,
                      int64_t comparisons)
{
    static const struct flag_value stations[] = {
        {.mode = FLAG_SHADOW}, {.mode = FLAG_CANARY, .share = 500}, {.mode = FLAG_CANARY, .share = 2500}};
    struct rollout_track *track = &plan->tracks[plan->track_count++];
    *track = (struct rollout_track){.flag = flag, .back = true};
    for (size_t i = 0; i < sizeof stations / sizeof stations[0] && rollout_rank(stations[i]) < rollout_rank(to); i++)
        track->steps[track->step_count++] =
            (struct rollout_step){.to = stations[i], .soak_ms = soak_ms, .comparisons = comparisons};
    bool compared = to.mode != FLAG_REPO;
    track->steps[track->step_count++] =
        (struct rollout_step){.to = to, .soak_ms = compared ? soak_ms : 0, .comparisons = compared ? comparisons : 0};
}

struct rollout_plan rollout_cutover_plan(enum flag flag, struct flag_value to, int64_t soak_ms, int64_t comparisons)
{
    struct rollout_plan plan = {.name = ROLLOUT_CUTOVER, .parallel = 1};
    for (enum flag i = 0; i < FLAG_COUNT; i++) {
        if (flag_kind(i) == FLAG_KIND_READ && (flag == FLAG_COUNT || flag == i))
            add_track(&plan, i, to, soak_ms, comparisons);
    }
    return plan;
}

enum flag rollout_dual_write(enum flag read)
{
    struct buf name = BUF_INIT;
    buf_printf(&name, "dual_write.%s", rollout_flag_name(read));
    enum flag flag = flag_find(buf_slice(&name));
    buf_free(&name);
    return flag;
}

/* --- Items --- */

static void add_item(struct rollout_items *items, bool holds, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void add_item(struct rollout_items *items, bool holds, const char *format, ...)
{
    struct rollout_item *item = &items->items[items->count++];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(item->text, sizeof item->text, format, arguments);
    va_end(arguments);
    item->holds = holds;
    items->missing += !holds;
}

void rollout_put_items(struct buf *out, const struct rollout_items *items)
{
    for (size_t i = 0; i < items->count; i++)
        buf_printf(out, "  %-5s  %s\n", items->items[i].holds ? "ok" : "lacks", items->items[i].text);
}

static void add_differences(struct rollout_items *items, const struct rollout_sight *sight, const char *since)
{
    if (sight->mismatches)
        add_item(items, false, "%" PRIu64 " %s of %s found a difference %s", sight->mismatches,
                 sight->mismatches == 1 ? "comparison" : "comparisons", sight->different, since);
    else
        add_item(items, true, "%" PRIu64 " comparisons without a difference %s", sight->comparisons, since);
}

/* --- The next value --- */

bool rollout_check_next(struct session *session, const struct settings *settings, const struct rollout_plan *plan,
                        const struct rollout_look *look, size_t at, struct flag_value next, struct rollout_items *items,
                        struct err *err)
{
    const struct rollout_track *track = &plan->tracks[at];
    const struct rollout_sight *sight = &look->sights[at];
    *items = (struct rollout_items){.count = 0};
    if (!look->on)
        add_item(items, false, "switch.rollout is off: nothing may be changed");
    if (!settings->legacy_dir[0] && next.mode != FLAG_REPO)
        add_item(items, false, "legacy.dir is not set: there are no files to compare rows with");
    if (sight->value.mode != FLAG_LEGACY && sight->since_us)
        add_differences(items, sight, "since the last change");
    if (rollout_would_pass(session, settings, track, sight->value, next, err)) {
        if (settings->flags_guard_comparisons && next.mode > FLAG_SHADOW)
            add_item(items, true, "the guard of flags has its %" PRId64 " comparisons within %" PRId64 " s",
                     settings->flags_guard_comparisons, settings->flags_guard_age_s);
        return true;
    }
    if (err->code != ERR_REFUSED)
        return false;
    add_item(items, false, "%s", err->text);
    return true;
}

/* --- The end of the files --- */

struct latest {
    bool any;
    int64_t at_us;
};

static bool take_latest(void *arg, const struct flag_logged *logged)
{
    *(struct latest *)arg = (struct latest){true, logged->at_us};
    return false;
}

static void add_time_in_repo(struct rollout_items *items, const struct rollout_sight *sight, int64_t now_us,
                             int64_t age_ms)
{
    struct buf text = BUF_INIT;
    if (sight->value.mode != FLAG_REPO) {
        flag_value_put(&text, FLAG_READ_TRADES, sight->value);
        add_item(items, false, "rows answer everybody (it is %s)", buf_cstr(&text));
    } else if (!sight->since_us) {
        add_item(items, true, "rows answer everybody, and never did anything else");
    } else {
        buf_append_str(&text, "rows answer everybody for ");
        rollout_time_put(&text, now_us - sight->since_us);
        buf_append_str(&text, ", of at least ");
        rollout_time_put(&text, age_ms * US_PER_MS);
        add_item(items, now_us - sight->since_us >= age_ms * US_PER_MS, "%s", buf_cstr(&text));
    }
    buf_free(&text);
}

/* Files that are no longer kept grow old and differ: only as long as they were kept, a difference says something. */
static bool add_differences_in_repo(struct session *session, const struct settings *settings, enum flag flag,
                                    int64_t since_us, int64_t until_us, struct rollout_items *items, struct err *err)
{
    struct parity_need need = flag_guard_need(settings, flag);
    struct rollout_sight sum = {.comparisons = 0};
    for (size_t i = 0; i < need.endpoint_count; i++) {
        struct parity_tally tally;
        if (!parity_tally_load(session, need.endpoints[i], since_us, until_us, false, &tally, err))
            return false;
        sum.comparisons += tally.comparisons;
        sum.mismatches += tally.mismatches;
        if (tally.mismatches)
            sum.different = need.endpoints[i];
    }
    add_differences(items, &sum, until_us ? "since then, as long as its files were kept" : "since then");
    return true;
}

/* Whether flag and configuration keep the files. *off_us: since when they are not kept; 0: unknown. */
static bool add_dual_write(struct session *session, const struct flag_value configured[FLAG_COUNT], enum flag read,
                           int64_t *off_us, struct rollout_items *items, struct err *err)
{
    enum flag flag = rollout_dual_write(read);
    struct flag_store_rows rows;
    struct flag_set set;
    struct latest latest = {.any = false};
    if (!flag_store_load(session, &rows, NULL, err) ||
        !flag_store_history(session, flag, 0, 1, take_latest, &latest, err))
        return false;
    flag_resolve(configured, &rows, NULL, &set);
    bool on = set.states[flag].value.on;
    const char *name = flag_name(flag);
    *off_us = on ? 0 : latest.at_us;
    if (on && !rows.flags[flag].set)
        add_item(items, false, "%s is on by the configuration: set it to false there", name);
    else if (on)
        add_item(items, false, "%s is on: nof0ctl flags set %s off --reason ...", name, name);
    else
        add_item(items, true, "%s is off: nobody keeps its files", name);
    if (configured[flag].on && !on)
        add_item(items, false, "the configuration says %s: true, which holds where no store answers", name);
    return true;
}

bool rollout_check_retirement(struct session *session, const struct settings *settings, const struct rollout_plan *plan,
                              const struct rollout_look *look, size_t at, int64_t age_ms, struct rollout_items *items,
                              struct err *err)
{
    enum flag flag = plan->tracks[at].flag;
    const struct rollout_sight *sight = &look->sights[at];
    struct flag_value configured[FLAG_COUNT];
    struct rollout_items dual = {.count = 0};
    int64_t off_us = 0;
    settings_flags(settings, configured);
    *items = (struct rollout_items){.count = 0};
    add_time_in_repo(items, sight, look->now_us, age_ms);
    if (!add_dual_write(session, configured, flag, &off_us, &dual, err))
        return false;
    if (sight->value.mode == FLAG_REPO &&
        !add_differences_in_repo(session, settings, flag, sight->since_us, off_us, items, err))
        return false;
    bool repo = configured[flag].mode == FLAG_REPO;
    add_item(items, repo, "the configuration says endpoints.%s: %s, which holds where no store answers",
             rollout_flag_name(flag), repo ? "repo" : "legacy");
    for (size_t i = 0; i < dual.count; i++)
        add_item(items, dual.items[i].holds, "%s", dual.items[i].text);
    return true;
}
