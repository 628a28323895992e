/* What nof0d is told by its configuration file: read once, checked whole, never changed afterwards. A reload makes a
 * new struct settings. The rows are in server/settings.def, the engine in base/config.h. */
#ifndef NOF0_SERVER_SETTINGS_H
#define NOF0_SERVER_SETTINGS_H

#include "base/buf.h"
#include "base/config.h"
#include "base/log.h"
#include "cache/keys.h"
#include "flags/flags.h"

#include <stdbool.h>
#include <stdint.h>

/* Where an endpoint's answers come from while its flag is not set. */
enum settings_source { SETTINGS_LEGACY, SETTINGS_REPO };

/* A field is its key with '_' for '.': "server.port" is server_port. Texts are owned and never NULL. Units, ranges and
 * defaults: server/settings.def. ttl_*_s is over 0, or -1 for "do not cache". */
struct settings {
#define SETTING_TEXT(field, key, default_, effect, doc) char *field;
#define SETTING_SECRET(field, key, default_, effect, doc) char *field;
#define SETTING_INT(field, key, default_, least, most, effect, doc) int64_t field;
#define SETTING_MS(field, key, default_, least, most, effect, doc) int64_t field;
#define SETTING_SHARE(field, key, default_, effect, doc) double field;
#define SETTING_BOOL(field, key, default_, effect, doc) bool field;
#define SETTING_ENUM(field, key, default_, type, names, effect, doc) type field;
#include "server/settings.def"
};

/* Reads the file, with ${NAME} taken from the process's environment. NULL when anything is wrong; `faults` then has a
 * line for each fault, "etc/nof0.yaml:12: server.port: what". The caller frees with settings_free. */
struct settings *settings_load(const char *path, struct buf *faults);

/* As settings_load for text that is already here; `name` stands for the path in faults, `lookup` for the environment.
 */
struct settings *settings_parse(struct slice yaml, const char *name, config_lookup *lookup, void *lookup_arg,
                                struct buf *faults);

/* The defaults of settings.def, as if by an empty file. */
struct settings *settings_default(void);
void settings_free(struct settings *settings);

/* Checks that go across keys: an endpoint set to repo needs postgres.dsn, one set to legacy needs legacy.dir,
 * and so does dual_write; redis.prefix must be one that names can begin with. Appends a line "endpoints.trades: ..."
 * for each fault; true when there is none. settings_load does not do this. */
bool settings_check(const struct settings *settings, struct buf *faults);

/* Appends all settings as a YAML file that settings_load reads back. Passwords inside a DSN or URL are replaced by
 * "***"; everything else is exact. */
void settings_print(const struct settings *settings, struct buf *out);

/* Appends the keys, one a line, whose values differ between the two; with `restart_only` those of them that a running
 * server cannot change. Returns how many. */
size_t settings_changes(const struct settings *old, const struct settings *new, bool restart_only, struct buf *keys);

/* The names and lifetimes in Redis that the settings give. False with *err for a bad redis.prefix. */
bool settings_cache_space(const struct settings *settings, struct cache_space *space, struct err *err) MUST_CHECK;

/* The values of flags that nobody set: endpoints.* and dual_write.*, and on for all others. */
void settings_flags(const struct settings *settings, struct flag_value values[FLAG_COUNT]);

/* The rows of settings.def. */
const struct config_table *settings_table(void);

#endif
