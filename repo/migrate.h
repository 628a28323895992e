/* Brings a database from one version of the schema to another. The table schema_migrations says what was applied; an
 * advisory lock lets one migrator work at a time while others wait. Needs no more than the right to create tables.
 *
 * Nothing is changed, and err says ERR_CONFLICT, when
 *   - the database has a migration that this program does not know (it is newer than the program),
 *   - a migration was changed after it had been applied (checksum or name),
 *   - one is missing in the record between others,
 *   - one was begun and never finished. A migration in a transaction cannot be: it is there with its record, or not at
 *     all. One that runs outside of a transaction can; so can one that ends its transaction by itself. An operator then
 *     finishes or undoes it by hand and says so with migrate_resolve. */
#ifndef NOF0_REPO_MIGRATE_H
#define NOF0_REPO_MIGRATE_H

#include "repo/migration_set.h"
#include "repo/session.h"

enum migrate_event { MIGRATE_WAITING, MIGRATE_APPLIED, MIGRATE_REVERTED };

/* Told what happens, in order. `migration` is NULL for MIGRATE_WAITING: another migrator is at work. */
typedef void migrate_event_fn(void *arg, enum migrate_event event, const struct migration *migration, int64_t took_ms);

/* on_event may be NULL. */
struct migrate_watch {
    migrate_event_fn *on_event;
    void *arg;
};

enum { MIGRATE_ALL = 0 };

/* Applies what is missing, up to version `to` (MIGRATE_ALL: everything). Stops at the first that fails; those before it
 * stay. ERR_INVALID when there is no version `to`. */
bool migrate_up(struct session *session, const struct migration_set *set, unsigned to,
                const struct migrate_watch *watch, struct err *err) MUST_CHECK;

/* Reverts, newest first, every migration with a version over `to` (0: all of them). */
bool migrate_down(struct session *session, const struct migration_set *set, unsigned to,
                  const struct migrate_watch *watch, struct err *err) MUST_CHECK;

/* Reverts the newest one, if there is one. */
bool migrate_down_one(struct session *session, const struct migration_set *set, const struct migrate_watch *watch,
                      struct err *err) MUST_CHECK;

/* Looks without changing or locking anything. `applied_at` is ISO text in UTC, NULL for a pending one. *pending
 * receives how many are pending. Refuses as above, after having told of every migration. */
typedef void migrate_status_fn(void *arg, const struct migration *migration, const char *state, const char *applied_at);
bool migrate_status(struct session *session, const struct migration_set *set, migrate_status_fn *on_row, void *arg,
                    unsigned *pending, struct err *err) MUST_CHECK;

/* Records what an operator did by hand with a half-applied migration: it is there now, or gone. ERR_INVALID when
 * `version` is not half-applied. */
bool migrate_resolve(struct session *session, const struct migration_set *set, unsigned version, bool applied,
                     struct err *err) MUST_CHECK;

#endif
