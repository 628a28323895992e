#include "server/settings.h"

#include "base/mem.h"

#include <stdlib.h>

static const char *const settings_log_levels[] = {"debug", "info", "warn", "error", NULL};
static const char *const settings_log_formats[] = {"text", "json", NULL};
static const char *const settings_sources[] = {"legacy", "repo", NULL};

_Static_assert(LOG_DEBUG == 0 && LOG_INFO == 1 && LOG_WARN == 2 && LOG_ERROR == 3, "settings_log_levels in this order");
_Static_assert(LOG_TEXT == 0 && LOG_JSON == 1, "settings_log_formats in this order");
_Static_assert(SETTINGS_LEGACY == 0 && SETTINGS_REPO == 1, "settings_sources in this order");

enum { RELOAD, RESTART };

#define AT(field) .offset = offsetof(struct settings, field)

/* clang-format off */
static const struct config_row rows[] = {
#define SETTING_TEXT(field, name, default_, effect, text) \
    {.key = (name), .type = CONFIG_TEXT, AT(field), .default_text = (default_), .restart = (effect) == RESTART, .doc = (text)},
#define SETTING_SECRET(field, name, default_, effect, text) \
    {.key = (name), .type = CONFIG_SECRET, AT(field), .default_text = (default_), .restart = (effect) == RESTART, .doc = (text)},
#define SETTING_INT(field, name, default_, low, high, effect, text) \
    {.key = (name), .type = CONFIG_INT, AT(field), .default_text = (default_), .least = (low), .most = (high), .restart = (effect) == RESTART, .doc = (text)},
#define SETTING_MS(field, name, default_, low, high, effect, text) \
    {.key = (name), .type = CONFIG_MS, AT(field), .default_text = (default_), .least = (low), .most = (high), .restart = (effect) == RESTART, .doc = (text)},
#define SETTING_SHARE(field, name, default_, effect, text) \
    {.key = (name), .type = CONFIG_SHARE, AT(field), .default_text = (default_), .restart = (effect) == RESTART, .doc = (text)},
#define SETTING_BOOL(field, name, default_, effect, text) \
    {.key = (name), .type = CONFIG_BOOL, AT(field), .default_text = (default_), .restart = (effect) == RESTART, .doc = (text)},
#define SETTING_ENUM(field, name, default_, c_type, list, effect, text) \
    {.key = (name), .type = CONFIG_ENUM, AT(field), .default_text = (default_), .names = (list), .restart = (effect) == RESTART, .doc = (text)},
#include "server/settings.def"
};
/* clang-format on */

static const struct config_table table = {rows, sizeof rows / sizeof rows[0], sizeof(struct settings)};

const struct config_table *settings_table(void)
{
    return &table;
}

static void use_default_ttls(struct settings *settings)
{
    struct settings *defaults = settings_default();
    if (settings->ttl_short_s == 0)
        settings->ttl_short_s = defaults->ttl_short_s;
    if (settings->ttl_medium_s == 0)
        settings->ttl_medium_s = defaults->ttl_medium_s;
    if (settings->ttl_long_s == 0)
        settings->ttl_long_s = defaults->ttl_long_s;
    settings_free(defaults);
}

static struct settings *finished(struct settings *settings, bool good)
{
    if (!good) {
        free(settings);
        return NULL;
    }
    use_default_ttls(settings);
    return settings;
}

struct settings *settings_load(const char *path, struct buf *faults)
{
    struct settings *settings = mem_zalloc(sizeof *settings);
    return finished(settings, config_load(&table, path, settings, faults));
}

struct settings *settings_parse(struct slice yaml, const char *name, config_lookup *lookup, void *lookup_arg,
                                struct buf *faults)
{
    struct settings *settings = mem_zalloc(sizeof *settings);
    return finished(settings, config_parse(&table, yaml, name, lookup, lookup_arg, settings, faults));
}

struct settings *settings_default(void)
{
    struct buf faults = BUF_INIT;
    struct settings *settings = mem_zalloc(sizeof *settings);
    bool good = config_parse(&table, SLICE(""), "settings.def", config_environment, NULL, settings, &faults);
    if (!good) /* a default outside its own range: the table is wrong, and its test says so */
        abort();
    buf_free(&faults);
    return settings;
}

void settings_free(struct settings *settings)
{
    if (!settings)
        return;
    config_release(&table, settings);
    free(settings);
}

bool settings_check(const struct settings *settings, struct buf *faults)
{
    bool good = true;
    for (size_t i = 0; i < table.row_count; i++) {
        if (rows[i].names != settings_sources)
            continue;
        enum settings_source source;
        memcpy(&source, (const char *)settings + rows[i].offset, sizeof source);
        const char *needed = source == SETTINGS_REPO ? settings->postgres_dsn : settings->legacy_dir;
        if (*needed)
            continue;
        good = false;
        buf_printf(faults, "%s: is %s, but %s is empty\n", rows[i].key, settings_sources[source],
                   source == SETTINGS_REPO ? "postgres.dsn" : "legacy.dir");
    }
#define FEED(name, class_)                                                                                             \
    if (settings->dual_write_##name && !settings->legacy_dir[0]) {                                                     \
        good = false;                                                                                                  \
        buf_append_str(faults, "dual_write." #name ": is true, but legacy.dir is empty\n");                            \
    }
#include "cache/feeds.def"
#undef FEED
    struct cache_space space;
    struct err err = ERR_INIT;
    if (!settings_cache_space(settings, &space, &err)) {
        good = false;
        buf_printf(faults, "%s\n", err.text);
    }
    return good;
}

void settings_print(const struct settings *settings, struct buf *out)
{
    config_print(&table, settings, out);
}

size_t settings_changes(const struct settings *old, const struct settings *new, bool restart_only, struct buf *keys)
{
    size_t count = 0;
    for (size_t i = 0; i < table.row_count; i++) {
        if ((restart_only && !rows[i].restart) || config_row_equal(&rows[i], old, new))
            continue;
        buf_append_str(keys, rows[i].key);
        buf_append_char(keys, '\n');
        count++;
    }
    return count;
}

bool settings_cache_space(const struct settings *settings, struct cache_space *space, struct err *err)
{
    const int64_t ttl_s[CACHE_TTL_CLASSES] = {[CACHE_TTL_SHORT] = settings->ttl_short_s,
                                              [CACHE_TTL_MEDIUM] = settings->ttl_medium_s,
                                              [CACHE_TTL_LONG] = settings->ttl_long_s};
    return cache_space_init(space, slice_of(settings->redis_prefix), ttl_s, err) || err_wrap(err, "redis.prefix");
}

/* "endpoints.trades" is what read.trades is by default, "dual_write.trades" what the flag of that name is. */
static enum flag flag_of(const struct config_row *row)
{
    static const char section[] = "endpoints.";
    if (row->names != settings_sources)
        return flag_find(slice_of(row->key));
    struct buf name = BUF_INIT;
    buf_printf(&name, "read.%s", row->key + sizeof section - 1);
    enum flag flag = flag_find(buf_slice(&name));
    buf_free(&name);
    return flag;
}

void settings_flags(const struct settings *settings, struct flag_value values[FLAG_COUNT])
{
    for (size_t i = 0; i < FLAG_COUNT; i++)
        values[i] = (struct flag_value){.mode = FLAG_LEGACY, .on = flag_kind((enum flag)i) == FLAG_KIND_SWITCH};
    for (size_t i = 0; i < table.row_count; i++) {
        enum flag flag = flag_of(&rows[i]);
        if (flag == FLAG_COUNT)
            continue;
        const char *field = (const char *)settings + rows[i].offset;
        enum settings_source source;
        if (flag_kind(flag) == FLAG_KIND_READ) {
            memcpy(&source, field, sizeof source);
            values[flag].mode = source == SETTINGS_REPO ? FLAG_REPO : FLAG_LEGACY;
        } else {
            memcpy(&values[flag].on, field, sizeof values[flag].on);
        }
    }
}
