#include "cli/flags_change.h"

#include "cli/cli.h"
#include "cli/cli_flags.h"
#include "cli/flags_state.h"
#include "server/flag_guard.h"

#include <ctype.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

/* --- words --- */

void flags_warn_of_environment(const struct flag_overrides *overrides, enum flag flag)
{
    for (enum flag i = 0; i < FLAG_COUNT; i++) {
        if (!overrides->present[i] || (flag != FLAG_COUNT && flag != i))
            continue;
        struct buf text = BUF_INIT;
        buf_append_str(&text, FLAG_VARIABLE_PREFIX);
        for (const char *p = flag_name(i); *p; p++)
            buf_append_char(&text, (char)(*p == '.' ? '_' : toupper((unsigned char)*p)));
        buf_append_char(&text, '=');
        flag_value_put(&text, i, overrides->values[i]);
        (void)cli_fail("flags",
                       "warning: %s is set here and wins over what is stored; servers go by their own environment",
                       buf_cstr(&text));
        buf_free(&text);
    }
}

/* user@host. */
static struct slice actor_of(const struct flags_arguments *arguments, char out[static 200])
{
    enum { RECORD_SIZE = 4096, HOST_SIZE = 65, USER_MOST = 100 };
    char record[RECORD_SIZE];
    char host[HOST_SIZE] = "";
    struct passwd account;
    struct passwd *found = NULL;
    if (arguments->actor)
        return slice_of(arguments->actor);
    (void)gethostname(host, sizeof host - 1);
    if (getpwuid_r(geteuid(), &account, record, sizeof record, &found) == 0 && found)
        (void)snprintf(out, 200, "%.*s@%s", USER_MOST, account.pw_name, host);
    else
        (void)snprintf(out, 200, "%u@%s", (unsigned)geteuid(), host);
    return slice_of(out);
}

/* "shadow", or "legacy (config)" for a flag that is not set. */
static void put_stored(struct buf *out, enum flag flag, bool set, struct flag_value value, struct flag_value configured)
{
    flag_value_put(out, flag, set ? value : configured);
    if (!set)
        buf_append_str(out, " (config)");
}

/* --- the change --- */

struct outcome {
    struct flag_view before;
    int64_t version;
    bool same; /* it had this very value */
};

/* Bound to what was looked at, so that the words about it are true; again when somebody else was faster. */
static bool make_change(const struct settings *settings, struct session *session,
                        const struct flags_arguments *arguments, struct outcome *outcome, struct err *err)
{
    enum { ATTEMPTS = 10 };
    char name[200];
    struct flag_change change = {.flag = arguments->flag,
                                 .set = arguments->action == FLAGS_SET,
                                 .value = arguments->value,
                                 .origin = FLAG_BY_OPERATOR,
                                 .actor = actor_of(arguments, name),
                                 .reason = slice_of(arguments->reason),
                                 .forced = arguments->force};
    for (int i = 1;; i++) {
        if (!flags_view_load(settings, session, &outcome->before, err))
            return false;
        const struct flag_stored *stored = &outcome->before.rows.flags[change.flag];
        bool free_choice = arguments->if_version == FLAG_VERSION_ANY;
        change.expected = free_choice ? stored->version : arguments->if_version;
        outcome->version = stored->version;
        outcome->same = change.expected == stored->version && stored->set == change.set &&
                        (!change.set || flag_value_equal(stored->value, change.value));
        if (outcome->same || flag_guard_change(settings, session, &change, &outcome->version, err))
            return true;
        if (err->code != ERR_CONFLICT || !free_choice || i == ATTEMPTS)
            return false;
    }
}

static int failed(const struct err *err)
{
    switch (err->code) {
    case ERR_REFUSED:
        (void)cli_fail("flags", "%s; --force makes the change all the same", err->text);
        return CLI_FOUND;
    case ERR_CONFLICT:
        (void)cli_fail("flags", "%s", err->text);
        return CLI_FOUND;
    case ERR_TIMEOUT:
    case ERR_UNAVAILABLE:
        return cli_fail("flags", "Postgres: %s; see nof0ctl flags get whether the change was made", err->text);
    default:
        return cli_fail("flags", "%s", err->text);
    }
}

static bool take_forced(void *arg, const struct flag_logged *logged)
{
    *(bool *)arg = logged->forced;
    return false;
}

static void tell(struct session *session, const struct flags_arguments *arguments, const struct outcome *outcome)
{
    enum flag flag = arguments->flag;
    struct flag_value configured = outcome->before.defaults[flag];
    const struct flag_stored *before = &outcome->before.rows.flags[flag];
    bool forced = false;
    struct buf line = BUF_INIT;
    buf_printf(&line, "%s: ", flag_name(flag));
    put_stored(&line, flag, before->set, before->value, configured);
    if (outcome->same) {
        buf_printf(&line, " already, nothing was changed; version %" PRId64 "\n", outcome->version);
    } else {
        buf_append_str(&line, " -> ");
        put_stored(&line, flag, arguments->action == FLAGS_SET, arguments->value, configured);
        /* Whether force was needed, the log knows. */
        bool noted = flag_store_follow(session, outcome->version - 1, take_forced, &forced, NULL, NULL);
        buf_printf(&line, "%s; version %" PRId64 "\n", noted && forced ? ", forced" : "", outcome->version);
    }
    (void)fwrite(line.data, 1, line.len, stdout);
    buf_free(&line);
}

int flags_change(const struct settings *settings, struct session *session, const struct flags_arguments *arguments)
{
    struct outcome outcome = {.version = 0};
    struct err err = ERR_INIT;
    if (!make_change(settings, session, arguments, &outcome, &err))
        return failed(&err);
    tell(session, arguments, &outcome);
    flags_warn_of_environment(&outcome.before.overrides, arguments->flag);
    if (!outcome.same && !cli_flags_mirror(settings, session, &err))
        (void)cli_fail("flags", "warning: the mirror in Redis lacks the change: %s", err.text);
    return CLI_OK;
}
