#include "cli/cmd_migrate.h"

#include "base/num.h"
#include "repo/migrate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char usage[] = "usage: nof0ctl migrate up [--to N]\n"
                            "       nof0ctl migrate down [--to N]\n"
                            "       nof0ctl migrate status\n"
                            "       nof0ctl migrate resolve N applied|reverted\n"
                            "\n"
                            "Brings the database of postgres.dsn to another version of the schema. The migrations are\n"
                            "built into this program.\n"
                            "\n"
                            "  up        applies every migration that is missing; with --to, those up to number N\n"
                            "  down      reverts the newest one; with --to, all that come after number N (0: all)\n"
                            "  status    lists them; exits with 1 when any is pending\n"
                            "  resolve   says that a half-applied migration was finished or undone by hand\n"
                            "\n"
                            "Each runs in one transaction together with the record of it. Two migrators at once take\n"
                            "turns. Refused are a database that is newer than this program, a migration that was\n"
                            "changed after it had been applied, and a half-applied one.\n"
                            "Exit codes: 0 done, 1 migrations are pending (status), 2 could not run.\n";

struct request {
    enum { UP, DOWN, STATUS, RESOLVE } verb;
    bool has_to;
    unsigned number; /* of --to or resolve */
    bool applied;    /* resolve */
};

static bool parse_number(const char *text, unsigned *number)
{
    int64_t value;
    if (!text || !num_parse_i64(slice_of(text), &value) || value < 0 || value > INT32_MAX)
        return false;
    *number = (unsigned)value;
    return true;
}

static bool parse_verb(const char *name, struct request *request)
{
    static const char *const names[] = {[UP] = "up", [DOWN] = "down", [STATUS] = "status", [RESOLVE] = "resolve"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0) {
            request->verb = i;
            return true;
        }
    return false;
}

static bool parse_resolve(int argc, char **argv, struct request *request)
{
    if (argc != 2 || !parse_number(argv[0], &request->number))
        return false;
    request->applied = strcmp(argv[1], "applied") == 0;
    return request->applied || strcmp(argv[1], "reverted") == 0;
}

/* What stands behind the verb. */
static bool parse_rest(int argc, char **argv, struct request *request)
{
    if (request->verb == RESOLVE)
        return parse_resolve(argc, argv, request);
    if (argc == 0)
        return true;
    if (request->verb == STATUS)
        return false;
    request->has_to = true;
    if (argc == 2 && strcmp(argv[0], "--to") == 0)
        return parse_number(argv[1], &request->number);
    return argc == 1 && strncmp(argv[0], "--to=", 5) == 0 && parse_number(argv[0] + 5, &request->number);
}

static void print_event(void *arg, enum migrate_event event, const struct migration *migration, int64_t took_ms)
{
    unsigned *count = arg;
    if (event == MIGRATE_WAITING) {
        printf("waiting for another migrator to finish\n");
    } else {
        printf("%s %s (%" PRId64 " ms)\n", event == MIGRATE_APPLIED ? "applied" : "reverted", migration->label,
               took_ms);
        ++*count;
    }
    fflush(stdout);
}

static void print_status(void *arg, const struct migration *migration, const char *state, const char *applied_at)
{
    (void)arg;
    printf("%-40s %s%s%s\n", migration->label, state, applied_at ? " " : "", applied_at ? applied_at : "");
}

static int run(struct session *session, const struct migration_set *set, const struct request *request)
{
    struct err err = ERR_INIT;
    unsigned count = 0;
    unsigned pending = 0;
    struct migrate_watch watch = {print_event, &count};
    bool good = false;
    switch (request->verb) {
    case UP:
        /* There is no migration 0, so that --to 0 asks for nothing. */
        good = (request->has_to && request->number == 0) || migrate_up(session, set, request->number, &watch, &err);
        break;
    case DOWN:
        good = request->has_to ? migrate_down(session, set, request->number, &watch, &err)
                               : migrate_down_one(session, set, &watch, &err);
        break;
    case STATUS:
        good = migrate_status(session, set, print_status, NULL, &pending, &err);
        break;
    case RESOLVE:
        good = migrate_resolve(session, set, request->number, request->applied, &err);
        break;
    }
    if (!good)
        return cli_fail("migrate", "%s", err.text);
    if (request->verb == STATUS)
        return pending ? CLI_FOUND : CLI_OK;
    if (request->verb != RESOLVE && count == 0)
        printf("nothing to do\n");
    return CLI_OK;
}

int cmd_migrate(struct cli_context *context, int argc, char **argv)
{
    struct request request = {.number = MIGRATE_ALL};
    if (argc >= 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return CLI_OK;
    }
    if (argc < 2 || !parse_verb(argv[1], &request) || !parse_rest(argc - 2, argv + 2, &request)) {
        fputs(usage, stderr);
        return CLI_FAILED;
    }
    const char *dsn = cli_postgres_dsn(context);
    if (!dsn)
        return CLI_FAILED;

    struct err err = ERR_INIT;
    int code = CLI_FAILED;
    struct session *session = NULL;
    struct migration_set *set = migration_set_embedded(&err);
    if (set)
        session = session_open(dsn, &err);
    if (session)
        code = run(session, set, &request);
    else
        cli_fail("migrate", "%s", err.text);
    session_close(session);
    migration_set_free(set);
    return code;
}
