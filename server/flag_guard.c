#include "server/flag_guard.h"

#include "server/endpoints.h"

struct parity_need flag_guard_need(const struct settings *settings, enum flag flag)
{
    struct parity_need need = {.comparisons = settings->flags_guard_comparisons, .age_s = settings->flags_guard_age_s};
    for (size_t i = 0; i < READ_KIND_COUNT && need.endpoint_count < PARITY_GUARD_ENDPOINTS; i++)
        if (endpoints[i].flag == flag)
            need.endpoints[need.endpoint_count++] = endpoints[i].name;
    return need;
}

struct flag_value flag_guard_configured(const struct settings *settings, enum flag flag)
{
    struct flag_value values[FLAG_COUNT];
    settings_flags(settings, values);
    return values[flag];
}

bool flag_guard_change(const struct settings *settings, struct session *session, const struct flag_change *change,
                       int64_t *version, struct err *err)
{
    struct parity_need need = flag_guard_need(settings, change->flag);
    return parity_guarded_change(session, &need, flag_guard_configured(settings, change->flag), change, version, err);
}
