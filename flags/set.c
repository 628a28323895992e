/* Sets of values: made, shared, compared, and computed from what configuration, store and environment say. */
#include "base/mem.h"
#include "flags/store.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

struct counted {
    atomic_uint references;
    struct flag_set set;
};

static struct counted *counted_of(struct flag_set *set)
{
    return (struct counted *)(void *)((char *)set - offsetof(struct counted, set));
}

struct flag_set *flag_set_new(const struct flag_set *content)
{
    struct counted *counted = mem_zalloc(sizeof *counted);
    atomic_init(&counted->references, 1);
    counted->set = *content;
    return &counted->set;
}

struct flag_set *flag_set_ref(struct flag_set *set)
{
    (void)atomic_fetch_add_explicit(&counted_of(set)->references, 1, memory_order_relaxed);
    return set;
}

void flag_set_unref(struct flag_set *set)
{
    if (set && atomic_fetch_sub_explicit(&counted_of(set)->references, 1, memory_order_acq_rel) == 1)
        free(counted_of(set));
}

bool flag_set_equal(const struct flag_set *a, const struct flag_set *b)
{
    if (a->version != b->version)
        return false;
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        const struct flag_state *x = &a->states[i];
        const struct flag_state *y = &b->states[i];
        if (x->source != y->source || x->version != y->version || !flag_value_equal(x->value, y->value))
            return false;
    }
    return true;
}

/* "NOF0_FLAG_READ_TRADES" for read.trades. */
static bool is_variable_of(enum flag flag, struct slice variable)
{
    const char *name = flag_name(flag);
    size_t n = strlen(name);
    if (variable.n != sizeof FLAG_VARIABLE_PREFIX - 1 + n)
        return false;
    const char *given = variable.p + sizeof FLAG_VARIABLE_PREFIX - 1;
    for (size_t i = 0; i < n; i++) {
        char wanted = name[i] == '.' ? '_' : (char)(name[i] >= 'a' && name[i] <= 'z' ? name[i] - 'a' + 'A' : name[i]);
        if (given[i] != wanted)
            return false;
    }
    return true;
}

bool flag_overrides_read(char *const *environment, struct flag_overrides *overrides, struct err *err)
{
    *overrides = (struct flag_overrides){.present = {false}};
    for (; *environment; environment++) {
        const char *equals = strchr(*environment, '=');
        struct slice variable = {*environment, equals ? (size_t)(equals - *environment) : strlen(*environment)};
        if (!equals || variable.n < sizeof FLAG_VARIABLE_PREFIX - 1 ||
            memcmp(variable.p, FLAG_VARIABLE_PREFIX, sizeof FLAG_VARIABLE_PREFIX - 1) != 0)
            continue;
        enum flag flag = 0;
        while (flag < FLAG_COUNT && !is_variable_of(flag, variable))
            flag++;
        if (flag == FLAG_COUNT)
            return err_set(err, ERR_INVALID, "the environment's %.*s: there is no such flag",
                           (int)(variable.n < 100 ? variable.n : 100), variable.p);
        if (!flag_value_parse(flag, slice_of(equals + 1), &overrides->values[flag], err))
            return err_wrap(err, "the environment's %.*s", SLICE_ARG(variable));
        overrides->present[flag] = true;
    }
    return true;
}

void flag_resolve(const struct flag_value defaults[FLAG_COUNT], const struct flag_store_rows *rows,
                  const struct flag_overrides *overrides, struct flag_set *set)
{
    *set = (struct flag_set){.version = rows ? rows->version : 0};
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        struct flag_state *state = &set->states[i];
        *state = (struct flag_state){.value = defaults[i], .source = FLAG_FROM_CONFIG};
        if (rows) {
            state->version = rows->flags[i].version;
            if (rows->flags[i].set) {
                state->value = rows->flags[i].value;
                state->source = FLAG_FROM_STORE;
            }
        }
        if (overrides && overrides->present[i]) {
            state->value = overrides->values[i];
            state->source = FLAG_FROM_ENVIRONMENT;
        }
    }
}
