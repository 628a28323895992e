#include "server/shadow_tap.h"

#include "base/clock.h"

_Static_assert(FLAG_COUNT <= 32, "flags fit into the bits of shadow_tap.wanted");

enum { US_PER_S = 1000000 };

void shadow_tap_init(struct shadow_tap *tap, struct shadow *shadow, unsigned worker, unsigned workers)
{
    *tap = (struct shadow_tap){.shadow = shadow, .workers = workers ? workers : 1, .random = worker + 1};
}

static double share_of(const struct settings *settings, enum flag flag, enum flag_mode mode)
{
    if (flag_kind(flag) != FLAG_KIND_READ || !settings->legacy_dir[0] || !settings->postgres_dsn[0])
        return 0;
    switch (mode) {
    case FLAG_LEGACY:
        return 0;
    case FLAG_SHADOW:
    case FLAG_CANARY:
        return settings->shadow_sample;
    case FLAG_REPO:
        return settings->shadow_sample_repo;
    }
    return 0;
}

void shadow_tap_go_by(struct shadow_tap *tap, const struct settings *settings, const struct flag_set *flags)
{
    shadow_tap_tell(tap);
    tap->wanted = 0;
    for (unsigned i = 0; i < FLAG_COUNT; i++) {
        struct shadow_share *share = &tap->shares[i];
        share->mode = flags->states[i].value.mode;
        share->share = tap->shadow ? share_of(settings, (enum flag)i, share->mode) : 0;
        share->per_second = (double)settings->shadow_max_per_second / tap->workers;
        if (share->share > 0)
            tap->wanted |= 1U << i;
    }
}

/* xorshift64 (Marsaglia, 2003). */
static bool chance(struct shadow_tap *tap, double share)
{
    if (share >= 1)
        return true;
    tap->random ^= tap->random << 13;
    tap->random ^= tap->random >> 7;
    tap->random ^= tap->random << 17;
    return (double)(tap->random >> 11) * 0x1p-53 < share;
}

/* A bucket that holds what a second allows, so that the requests of one page load, which come together, are all taken.
 */
static bool allowed(struct shadow_share *share)
{
    double most = share->per_second > 1 ? share->per_second : 1;
    if (share->allowance < 1) {
        int64_t now_us = clock_mono_us();
        share->allowance += (double)(now_us - share->refilled_us) * share->per_second / US_PER_S;
        share->refilled_us = now_us;
        if (share->allowance > most)
            share->allowance = most;
    }
    if (share->allowance < 1)
        return false;
    share->allowance -= 1;
    return true;
}

void shadow_tap_note(struct shadow_tap *tap, enum flag flag, enum endpoint_side side, struct slice target,
                     struct document *document)
{
    struct shadow_share *share = &tap->shares[flag];
    if (!chance(tap, share->share))
        return;
    const struct shadow_sighting sighting = {flag, share->mode, side, target, document};
    if (!allowed(share) || !shadow_offer(tap->shadow, &sighting))
        share->shed++;
}

void shadow_tap_tell(struct shadow_tap *tap)
{
    for (unsigned i = 0; i < FLAG_COUNT; i++) {
        struct shadow_share *share = &tap->shares[i];
        if (share->shed && shadow_shed(tap->shadow, (enum flag)i, share->mode, share->shed))
            share->shed = 0;
    }
}
