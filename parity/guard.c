#include "parity/guard.h"

#include "base/clock.h"

#include <inttypes.h>

/* Of FLAG_SHARE_WHOLE; repo is more than a whole canary, which still compares. */
static uint32_t clients_of_rows(struct flag_value value)
{
    if (value.mode == FLAG_REPO)
        return FLAG_SHARE_WHOLE + 1;
    return value.mode == FLAG_CANARY ? value.share : 0;
}

bool parity_guards(enum flag flag, struct flag_value from, struct flag_value to)
{
    return flag_kind(flag) == FLAG_KIND_READ && clients_of_rows(to) > clients_of_rows(from);
}

/* "trades has 312 of 1000 comparisons within 86400 s (the last with a difference: 2025-10-26T04:19:12.829Z)". */
static void put_lack(struct buf *text, const char *endpoint, const struct parity_green *green,
                     const struct parity_need *need)
{
    char iso[CLOCK_ISO_SIZE];
    buf_printf(text, "%s%s has %" PRIu64 " of the %" PRId64 " comparisons", text->len ? "; " : "", endpoint,
               green->comparisons, need->comparisons);
    if (green->mismatch_us)
        buf_printf(text, " since the last difference, %s", clock_format_iso(iso, green->mismatch_us / 1000));
}

bool parity_need_met(struct session *session, const struct parity_need *need, struct err *err)
{
    struct buf text = BUF_INIT;
    bool good = true;
    for (size_t i = 0; need->comparisons > 0 && good && i < need->endpoint_count; i++) {
        struct parity_green green;
        good = parity_green_load(session, need->endpoints[i], need->age_s, &green, err);
        if (good && green.comparisons < (uint64_t)need->comparisons)
            put_lack(&text, need->endpoints[i], &green, need);
    }
    if (good && text.len)
        good = err_set(err, ERR_REFUSED, "%s without a difference that are needed within %" PRId64 " s",
                       buf_cstr(&text), need->age_s);
    buf_free(&text);
    return good;
}

/* One look and one attempt: the change is bound to what was looked at. */
static bool attempt(struct session *session, const struct parity_need *need, struct flag_value configured,
                    struct flag_change change, int64_t *version, struct err *err)
{
    struct flag_store_rows rows;
    bool forced = change.forced;
    change.forced = false;
    if (!flag_store_load(session, &rows, NULL, err))
        return false;
    const struct flag_stored *stored = &rows.flags[change.flag];
    struct flag_value from = stored->set ? stored->value : configured;
    struct flag_value to = change.set ? change.value : configured;
    if (change.expected != FLAG_VERSION_ANY && change.expected != stored->version)
        return flag_store_change(session, &change, version, err); /* which says what is wrong */
    if (parity_guards(change.flag, from, to) && !parity_need_met(session, need, err)) {
        if (err->code != ERR_REFUSED || !forced)
            return err_wrap(err, "%s", flag_name(change.flag));
        change.forced = true;
    }
    change.expected = stored->version;
    return flag_store_change(session, &change, version, err);
}

bool parity_guarded_change(struct session *session, const struct parity_need *need, struct flag_value configured,
                           const struct flag_change *change, int64_t *version, struct err *err)
{
    enum { ATTEMPTS = 5 };
    const struct flag_value nobody = {.mode = FLAG_LEGACY};
    struct err own = ERR_INIT;
    if (need->comparisons <= 0 || !parity_guards(change->flag, nobody, change->set ? change->value : configured)) {
        struct flag_change plain = *change;
        plain.forced = false;
        return flag_store_change(session, &plain, version, err);
    }
    for (int i = 1;; i++) {
        if (attempt(session, need, configured, *change, version, &own))
            return true;
        if (own.code != ERR_CONFLICT || change->expected != FLAG_VERSION_ANY || i == ATTEMPTS)
            return err_set(err, own.code, "%s", own.text);
    }
}
