#include "repo/migrate.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "repo/pg_error.h"

#include <limits.h>
#include <stdlib.h>

#define NO_TRANSACTION "-- nof0: no transaction\n"
#define NEXT_STATEMENT "-- nof0: next\n"

/* The advisory lock: any number that no other user of the database takes. */
#define LOCK_SQL(call) "SELECT " call "(7238245093114530)"

static const char create_sql[] = "CREATE TABLE schema_migrations ("
                                 "version integer PRIMARY KEY, "
                                 "name text NOT NULL, "
                                 "checksum text NOT NULL, "
                                 "state text NOT NULL CHECK (state IN ('applied', 'applying', 'reverting')), "
                                 "applied_at timestamptz NOT NULL DEFAULT now())";

struct record {
    unsigned version;
    char *name;
    char *checksum;
    char *state;
    char *applied_at;
};

struct records {
    struct record *rows; /* in order of version */
    unsigned count;
};

static void records_free(struct records *records)
{
    for (unsigned i = 0; i < records->count; i++) {
        free(records->rows[i].name);
        free(records->rows[i].checksum);
        free(records->rows[i].state);
        free(records->rows[i].applied_at);
    }
    free(records->rows);
}

static char *copy_field(const PGresult *result, int row, int field)
{
    return mem_strndup(PQgetvalue(result, row, field), (size_t)PQgetlength(result, row, field));
}

static bool find_table(struct session *session, bool *there, struct err *err)
{
    int64_t rows = 0;
    bool good = session_run(session, "SELECT 1 WHERE to_regclass('schema_migrations') IS NOT NULL", NULL, &rows, err);
    *there = rows > 0;
    return good;
}

/* Who may not create tables can still be told that there is nothing to do. */
static bool make_table(struct session *session, struct err *err)
{
    bool there;
    return find_table(session, &there, err) && (there || session_exec(session, create_sql, err));
}

/* A database without the table has no records. */
static bool read_records(struct session *session, struct records *records, struct err *err)
{
    *records = (struct records){NULL, 0};
    bool there;
    if (!find_table(session, &there, err))
        return false;
    if (!there)
        return true;
    PGresult *result = session_query(session,
                                     "SELECT version::text, name, checksum, state, "
                                     "to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') "
                                     "FROM schema_migrations ORDER BY version",
                                     NULL, err);
    if (!result)
        return false;
    records->count = (unsigned)PQntuples(result);
    records->rows = mem_calloc(records->count + 1, sizeof records->rows[0]);
    for (unsigned i = 0; i < records->count; i++) {
        int row = (int)i;
        records->rows[i] = (struct record){
            .version = (unsigned)strtoul(PQgetvalue(result, row, 0), NULL, 10),
            .name = copy_field(result, row, 1),
            .checksum = copy_field(result, row, 2),
            .state = copy_field(result, row, 3),
            .applied_at = copy_field(result, row, 4),
        };
    }
    PQclear(result);
    return true;
}

static bool is_applied(const struct record *record)
{
    return strcmp(record->state, "applied") == 0;
}

static bool check_record(const struct record *record, const struct migration *migration, struct err *err)
{
    if (record->version != migration->version)
        return err_set(err, ERR_CONFLICT,
                       "schema_migrations has no row for %s though it has later ones; the record was changed by hand",
                       migration->label);
    if (!is_applied(record))
        return err_set(err, ERR_CONFLICT,
                       "migration %s is half-applied (%s): finish or undo it by hand, then run "
                       "\"nof0ctl migrate resolve %u applied\" or \"... resolve %u reverted\"",
                       record->name, record->state, record->version, record->version);
    if (strcmp(record->name, migration->label) != 0)
        return err_set(err, ERR_CONFLICT, "migration %04u was applied as %s, but this program has it as %s",
                       record->version, record->name, migration->label);
    if (strcmp(record->checksum, migration->checksum) != 0)
        return err_set(err, ERR_CONFLICT,
                       "migration %s was changed after it had been applied: checksum %.12s... is recorded, this "
                       "program has %.12s...; put a change into a new migration",
                       record->name, record->checksum, migration->checksum);
    return true;
}

static bool check_records(const struct records *records, const struct migration_set *set, struct err *err)
{
    unsigned newest = records->count ? records->rows[records->count - 1].version : 0;
    if (newest > set->count)
        return err_set(err, ERR_CONFLICT,
                       "the database is newer than this program: it has migration %s, the program knows up to %04u",
                       records->rows[records->count - 1].name, set->count);
    for (unsigned i = 0; i < records->count; i++)
        if (!check_record(&records->rows[i], &set->migrations[i], err))
            return false;
    return true;
}

/* The line (from 1) of a place that Postgres counts in characters (from 1). */
static unsigned long line_of(const char *sql, const char *position)
{
    unsigned long left = strtoul(position, NULL, 10);
    unsigned long line = 1;
    for (; *sql && left > 1; sql++) {
        line += *sql == '\n';
        left -= ((unsigned char)sql[1] & 0xc0) != 0x80;
    }
    return line;
}

/* Runs a script whose first line is line `first_line` of its file. */
static bool run_script(struct session *session, const char *sql, unsigned long first_line, struct err *err)
{
    PGconn *connection = session_connection(session);
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY;
    if (!good) {
        pg_error_from_result(err, result, connection);
        const char *position = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
        if (position)
            err_wrap(err, "line %lu", first_line + line_of(sql, position) - 1);
    }
    PQclear(result);
    return good;
}

static bool set_state(struct session *session, const struct migration *migration, const char *state, struct err *err)
{
    struct arena *arena = arena_new(0);
    struct params params = params_on(arena);
    params_add_i32(&params, (int32_t)migration->version);
    params_add_text(&params, slice_of(migration->label));
    params_add_text(&params, slice_of(migration->checksum));
    params_add_text(&params, slice_of(state));
    bool good = session_run(session,
                            "INSERT INTO schema_migrations (version, name, checksum, state) VALUES ($1, $2, $3, $4) "
                            "ON CONFLICT (version) DO UPDATE SET state = EXCLUDED.state, applied_at = now()",
                            &params, NULL, err);
    arena_free(arena);
    return good;
}

static bool forget(struct session *session, const struct migration *migration, struct err *err)
{
    struct arena *arena = arena_new(0);
    struct params params = params_on(arena);
    params_add_i32(&params, (int32_t)migration->version);
    bool good = session_run(session, "DELETE FROM schema_migrations WHERE version = $1", &params, NULL, err);
    arena_free(arena);
    return good;
}

static bool record_done(struct session *session, const struct migration *migration, bool up, struct err *err)
{
    return up ? set_state(session, migration, "applied", err) : forget(session, migration, err);
}

static const char *doing(bool up)
{
    return up ? "applying" : "reverting";
}

static bool step_in_transaction(struct session *session, const struct migration *migration, bool up, struct err *err)
{
    if (!session_begin(session, err))
        return false;
    if (!run_script(session, up ? migration->up : migration->down, 1, err)) {
        session_rollback(session);
        return false;
    }
    if (PQtransactionStatus(session_connection(session)) != PQTRANS_INTRANS) {
        /* How much of it is there, nobody can say; the record must stop the next run. */
        struct err ignored = ERR_INIT;
        if (!set_state(session, migration, doing(up), &ignored))
            return err_set(err, ERR_INVALID, "it ends its own transaction, and then: %s", ignored.text);
        return err_set(err, ERR_INVALID, "it ends its own transaction, so it may be half-applied");
    }
    if (record_done(session, migration, up, err) && session_commit(session, err))
        return true;
    session_rollback(session);
    return false;
}

/* The record is written before the first statement and closed behind the last one; a run that dies in between leaves it
 * open for check_record to find. */
static bool step_by_statements(struct session *session, const struct migration *migration, bool up, struct err *err)
{
    if (!set_state(session, migration, doing(up), err))
        return false;
    struct buf statement = BUF_INIT;
    unsigned long line = 1;
    bool good = true;
    for (const char *at = up ? migration->up : migration->down; good && at;) {
        const char *end = strstr(at, NEXT_STATEMENT);
        size_t n = end ? (size_t)(end - at) : strlen(at);
        buf_clear(&statement);
        buf_append(&statement, at, n);
        good = run_script(session, buf_cstr(&statement), line, err);
        for (size_t i = 0; i < n; i++)
            line += at[i] == '\n';
        line++;
        at = end ? end + sizeof NEXT_STATEMENT - 1 : NULL;
    }
    buf_free(&statement);
    return good && record_done(session, migration, up, err);
}

static bool step(struct session *session, const struct migration *migration, bool up, const struct migrate_watch *watch,
                 struct err *err)
{
    const char *text = up ? migration->up : migration->down;
    int64_t begin = clock_mono_ms();
    bool good = strncmp(text, NO_TRANSACTION, sizeof NO_TRANSACTION - 1) == 0
                    ? step_by_statements(session, migration, up, err)
                    : step_in_transaction(session, migration, up, err);
    if (!good)
        return err_wrap(err, "%s migration %s", doing(up), migration->label);
    if (watch->on_event)
        watch->on_event(watch->arg, up ? MIGRATE_APPLIED : MIGRATE_REVERTED, migration, clock_mono_ms() - begin);
    return true;
}

static bool lock(struct session *session, const struct migrate_watch *watch, struct err *err)
{
    PGresult *result = session_query(session, LOCK_SQL("pg_try_advisory_lock"), NULL, err);
    if (!result)
        return false;
    bool mine = *PQgetvalue(result, 0, 0) != 0;
    PQclear(result);
    if (mine)
        return true;
    if (watch->on_event)
        watch->on_event(watch->arg, MIGRATE_WAITING, NULL, 0);
    return session_exec(session, LOCK_SQL("pg_advisory_lock"), err);
}

/* A lock that cannot be given back goes with the session. */
static void unlock(struct session *session)
{
    struct err ignored = ERR_INIT;
    if (!session_exec(session, LOCK_SQL("pg_advisory_unlock"), &ignored))
        ignored.code = ERR_NONE;
}

/* Takes the lock, makes sure of the table, reads and checks the records. On failure nothing is held. */
static bool enter(struct session *session, const struct migration_set *set, const struct migrate_watch *watch,
                  struct records *records, struct err *err)
{
    if (!lock(session, watch, err))
        return false;
    if (make_table(session, err) && read_records(session, records, err)) {
        if (check_records(records, set, err))
            return true;
        records_free(records);
    }
    unlock(session);
    return false;
}

static const struct migrate_watch nobody;

bool migrate_up(struct session *session, const struct migration_set *set, unsigned to,
                const struct migrate_watch *watch, struct err *err)
{
    if (to > set->count)
        return err_set(err, ERR_INVALID, "there is no migration %04u; the newest is %04u", to, set->count);
    struct records records;
    watch = watch ? watch : &nobody;
    if (!enter(session, set, watch, &records, err))
        return false;
    unsigned end = to == MIGRATE_ALL ? set->count : to;
    bool good = true;
    for (unsigned i = records.count; good && i < end; i++)
        good = step(session, &set->migrations[i], true, watch, err);
    unlock(session);
    records_free(&records);
    return good;
}

/* With `most` steps at most. */
static bool revert(struct session *session, const struct migration_set *set, unsigned to, unsigned most,
                   const struct migrate_watch *watch, struct err *err)
{
    struct records records;
    watch = watch ? watch : &nobody;
    if (!enter(session, set, watch, &records, err))
        return false;
    bool good = true;
    for (unsigned i = records.count; good && i > to && most > 0; i--, most--)
        good = step(session, &set->migrations[i - 1], false, watch, err);
    unlock(session);
    records_free(&records);
    return good;
}

bool migrate_down(struct session *session, const struct migration_set *set, unsigned to,
                  const struct migrate_watch *watch, struct err *err)
{
    if (to > set->count)
        return err_set(err, ERR_INVALID, "there is no migration %04u; the newest is %04u", to, set->count);
    return revert(session, set, to, UINT_MAX, watch, err);
}

bool migrate_down_one(struct session *session, const struct migration_set *set, const struct migrate_watch *watch,
                      struct err *err)
{
    return revert(session, set, 0, 1, watch, err);
}

bool migrate_status(struct session *session, const struct migration_set *set, migrate_status_fn *on_row, void *arg,
                    unsigned *pending, struct err *err)
{
    struct records records;
    if (!read_records(session, &records, err))
        return false;
    *pending = 0;
    for (unsigned i = 0, at = 0; i < set->count; i++) {
        const struct migration *migration = &set->migrations[i];
        while (at < records.count && records.rows[at].version < migration->version)
            at++;
        bool recorded = at < records.count && records.rows[at].version == migration->version;
        *pending += !recorded;
        on_row(arg, migration, recorded ? records.rows[at].state : "pending",
               recorded ? records.rows[at].applied_at : NULL);
    }
    bool good = check_records(&records, set, err);
    records_free(&records);
    return good;
}

bool migrate_resolve(struct session *session, const struct migration_set *set, unsigned version, bool applied,
                     struct err *err)
{
    struct records records = {NULL, 0};
    if (!lock(session, &nobody, err))
        return false;
    bool good = read_records(session, &records, err);
    const struct record *found = NULL;
    for (unsigned i = 0; good && i < records.count; i++)
        if (records.rows[i].version == version && version >= 1 && version <= set->count)
            found = &records.rows[i];
    if (good && (!found || is_applied(found)))
        good = err_set(err, ERR_INVALID, "migration %04u is not half-applied", version);
    if (good)
        good = record_done(session, &set->migrations[version - 1], applied, err);
    unlock(session);
    records_free(&records);
    return good;
}
