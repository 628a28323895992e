#include "cli/flags_arguments.h"

#include "base/buf.h"
#include "base/num.h"

enum { LIMIT = 20, LIMIT_MOST = 100000 };

#define TO(action) (1U << (action))

static const struct action {
    const char *name;
    bool takes_flag, needs_flag;
} actions[FLAGS_ACTION_COUNT] = {
    [FLAGS_LIST] = {"list", false, false},      [FLAGS_GET] = {"get", true, true},
    [FLAGS_SET] = {"set", true, true},          [FLAGS_UNSET] = {"unset", true, true},
    [FLAGS_HISTORY] = {"history", true, false}, [FLAGS_WATCH] = {"watch", false, false},
};

static bool set_reason(struct flags_arguments *arguments, const char *value)
{
    arguments->reason = value;
    return *value != '\0';
}

static bool set_actor(struct flags_arguments *arguments, const char *value)
{
    arguments->actor = value;
    return *value != '\0';
}

static bool set_if_version(struct flags_arguments *arguments, const char *value)
{
    return num_parse_i64(slice_of(value), &arguments->if_version) && arguments->if_version >= 0;
}

static bool set_limit(struct flags_arguments *arguments, const char *value)
{
    return num_parse_i64(slice_of(value), &arguments->limit) && arguments->limit >= 1 && arguments->limit <= LIMIT_MOST;
}

static bool set_after(struct flags_arguments *arguments, const char *value)
{
    return num_parse_i64(slice_of(value), &arguments->after) && arguments->after >= 0;
}

static bool set_format(struct flags_arguments *arguments, const char *value)
{
    const char *plain = arguments->action == FLAGS_GET ? "value" : "table";
    arguments->json = strcmp(value, "json") == 0;
    return arguments->json || strcmp(value, plain) == 0;
}

static const struct option {
    const char *name;
    unsigned actions;
    bool (*set)(struct flags_arguments *arguments, const char *value);
} options[] = {
    {"--format", TO(FLAGS_LIST) | TO(FLAGS_GET) | TO(FLAGS_HISTORY) | TO(FLAGS_WATCH), set_format},
    {"--reason", TO(FLAGS_SET) | TO(FLAGS_UNSET), set_reason},
    {"--actor", TO(FLAGS_SET) | TO(FLAGS_UNSET), set_actor},
    {"--if-version", TO(FLAGS_SET) | TO(FLAGS_UNSET), set_if_version},
    {"--limit", TO(FLAGS_HISTORY), set_limit},
    {"--after", TO(FLAGS_WATCH), set_after},
};

/* Takes "--name VALUE" or "--name=VALUE" and moves *at to its last word. */
static bool take_option(int argc, char **argv, int *at, struct flags_arguments *arguments, struct err *err)
{
    const char *word = argv[*at];
    unsigned action = TO(arguments->action);
    if (strcmp(word, "--force") == 0 && (action & (TO(FLAGS_SET) | TO(FLAGS_UNSET)))) {
        arguments->force = true;
        return true;
    }
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        size_t n = strlen(options[i].name);
        if (!(options[i].actions & action) || strncmp(word, options[i].name, n) != 0 ||
            (word[n] != '=' && word[n] != '\0'))
            continue;
        const char *value = word[n] ? word + n + 1 : *at + 1 < argc ? argv[++*at] : NULL;
        if (!value)
            return err_set(err, ERR_INVALID, "%s needs a value", options[i].name);
        if (!options[i].set(arguments, value))
            return err_set(err, ERR_INVALID, "%s cannot be \"%.80s\"", options[i].name, value);
        return true;
    }
    return err_set(err, ERR_INVALID, "%s does not understand \"%.80s\"", actions[arguments->action].name, word);
}

static bool take_flag(const char *word, struct flags_arguments *arguments, struct err *err)
{
    arguments->flag = flag_find(slice_of(word));
    if (arguments->flag != FLAG_COUNT)
        return true;
    struct buf names = BUF_INIT;
    for (unsigned i = 0; i < FLAG_COUNT; i++)
        buf_printf(&names, "%s%s", i ? " " : "", flag_name((enum flag)i));
    err_set(err, ERR_INVALID, "there is no flag \"%.40s\", only %s", word, buf_cstr(&names));
    buf_free(&names);
    return false;
}

/* A word that is no option: the flag's name, then, to set it, the value. */
static bool take_word(const char *word, struct flags_arguments *arguments, bool *valued, struct err *err)
{
    const struct action *action = &actions[arguments->action];
    if (action->takes_flag && arguments->flag == FLAG_COUNT)
        return take_flag(word, arguments, err);
    if (arguments->action != FLAGS_SET || *valued)
        return err_set(err, ERR_INVALID, "%s does not understand \"%.80s\"", action->name, word);
    *valued = true;
    return flag_value_parse(arguments->flag, slice_of(word), &arguments->value, err);
}

static bool find_action(const char *word, enum flags_action *action, struct err *err)
{
    for (unsigned i = 0; i < FLAGS_ACTION_COUNT; i++) {
        *action = (enum flags_action)i;
        if (word && strcmp(actions[i].name, word) == 0)
            return true;
    }
    return err_set(err, ERR_INVALID, "say what to do: list, get, set, unset, history or watch");
}

bool flags_arguments_parse(int argc, char **argv, struct flags_arguments *arguments, struct err *err)
{
    bool valued = false;
    *arguments = (struct flags_arguments){
        .flag = FLAG_COUNT, .if_version = FLAG_VERSION_ANY, .limit = LIMIT, .after = FLAGS_AFTER_NOW};
    if (!find_action(argc > 1 ? argv[1] : NULL, &arguments->action, err))
        return false;
    for (int i = 2; i < argc; i++)
        if (strncmp(argv[i], "--", 2) == 0 ? !take_option(argc, argv, &i, arguments, err)
                                           : !take_word(argv[i], arguments, &valued, err))
            return false;
    const struct action *action = &actions[arguments->action];
    if (action->needs_flag && arguments->flag == FLAG_COUNT)
        return err_set(err, ERR_INVALID, "%s needs a flag's name", action->name);
    if (arguments->action == FLAGS_SET && !valued)
        return err_set(err, ERR_INVALID, "set needs a value");
    if ((arguments->action == FLAGS_SET || arguments->action == FLAGS_UNSET) && !arguments->reason)
        return err_set(err, ERR_INVALID, "%s needs a reason: --reason TEXT", action->name);
    return true;
}
