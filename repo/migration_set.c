#include "repo/migration_set.h"

#include "base/buf.h"
#include "base/mem.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUMBER_DIGITS = 4, MOST_MIGRATIONS = 9999 };

/* What a file's name says. */
struct parsed_name {
    unsigned version;
    struct slice label;
    bool up;
};

static bool ends_with(struct slice s, const char *tail, struct slice *head)
{
    size_t n = strlen(tail);
    if (s.n < n || memcmp(s.p + s.n - n, tail, n) != 0)
        return false;
    *head = (struct slice){s.p, s.n - n};
    return true;
}

static bool parse_name(const char *name, struct parsed_name *out)
{
    struct slice whole = slice_of(name);
    out->up = ends_with(whole, ".up.sql", &out->label);
    if (!out->up && !ends_with(whole, ".down.sql", &out->label))
        return false;
    if (out->label.n < NUMBER_DIGITS + 2 || out->label.p[NUMBER_DIGITS] != '_')
        return false;
    out->version = 0;
    for (size_t i = 0; i < NUMBER_DIGITS; i++) {
        if (!isdigit((unsigned char)out->label.p[i]))
            return false;
        out->version = out->version * 10 + (unsigned)(out->label.p[i] - '0');
    }
    for (size_t i = NUMBER_DIGITS + 1; i < out->label.n; i++)
        if (!islower((unsigned char)out->label.p[i]) && !isdigit((unsigned char)out->label.p[i]) &&
            out->label.p[i] != '_')
            return false;
    return out->version > 0;
}

static void put_checksum(struct migration *migration)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)migration->up, strlen(migration->up), digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(migration->checksum + 2 * i, 3, "%02x", digest[i]);
}

static bool add_file(struct migration_set *set, const struct migration_file *file, struct err *err)
{
    struct parsed_name name;
    if (!parse_name(file->name, &name))
        return err_set(err, ERR_INVALID, "migration file %s: the name is not NNNN_name.up.sql or .down.sql",
                       file->name);
    if (file->n == 0 || memchr(file->text, 0, file->n))
        return err_set(err, ERR_INVALID, "migration file %s is empty or has a zero byte", file->name);
    struct migration *migration = &set->migrations[name.version - 1];
    if (migration->label && !slice_is(name.label, migration->label))
        return err_set(err, ERR_INVALID, "two migrations have the number %04u: %s and %.*s", name.version,
                       migration->label, SLICE_ARG(name.label));
    if (!migration->label)
        migration->label = mem_strndup(name.label.p, name.label.n);
    migration->version = name.version;
    const char **text = name.up ? &migration->up : &migration->down;
    if (*text)
        return err_set(err, ERR_INVALID, "migration file %s comes twice", file->name);
    *text = mem_strndup(file->text, file->n);
    if (set->count < name.version)
        set->count = name.version;
    return true;
}

static bool check_whole(struct migration_set *set, struct err *err)
{
    for (unsigned i = 0; i < set->count; i++) {
        struct migration *migration = &set->migrations[i];
        if (!migration->label)
            return err_set(err, ERR_INVALID, "there is a migration %04u but no %04u: a gap in the numbers", set->count,
                           i + 1);
        if (!migration->up || !migration->down)
            return err_set(err, ERR_INVALID, "migration %s has no %s file", migration->label,
                           migration->up ? "down" : "up");
        put_checksum(migration);
    }
    return true;
}

struct migration_set *migration_set_new(const struct migration_file *files, size_t count, struct err *err)
{
    struct migration_set *set = mem_zalloc(sizeof *set);
    set->migrations = mem_calloc(MOST_MIGRATIONS, sizeof set->migrations[0]);
    bool good = true;
    for (size_t i = 0; good && i < count; i++)
        good = add_file(set, &files[i], err);
    if (good && check_whole(set, err))
        return set;
    set->count = MOST_MIGRATIONS; /* whatever was filled is freed */
    migration_set_free(set);
    return NULL;
}

struct migration_set *migration_set_embedded(struct err *err)
{
    return migration_set_new(migrations_embedded, migrations_embedded_count, err);
}

static bool read_file(const char *path, struct buf *out, struct err *err)
{
    enum { STEP = 16 * 1024 };
    FILE *file = fopen(path, "rbe");
    if (!file)
        return err_set_errno(err, errno, "%s", path);
    size_t n;
    do {
        n = fread(buf_reserve(out, STEP), 1, STEP, file);
        out->len += n;
    } while (n == STEP);
    bool good = !ferror(file) || err_set_errno(err, errno, "%s", path);
    fclose(file);
    return good;
}

static int is_sql(const struct dirent *entry)
{
    struct slice head;
    return ends_with(slice_of(entry->d_name), ".sql", &head);
}

struct migration_set *migration_set_read(const char *folder, struct err *err)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, is_sql, alphasort);
    if (count < 0) {
        err_set_errno(err, errno, "%s", folder);
        return NULL;
    }
    struct migration_file *files = mem_calloc((size_t)count + 1, sizeof *files);
    struct buf *texts = mem_calloc((size_t)count + 1, sizeof *texts);
    struct buf path = BUF_INIT;
    bool good = true;
    for (int i = 0; i < count; i++) {
        buf_clear(&path);
        buf_printf(&path, "%s/%s", folder, entries[i]->d_name);
        good = good && read_file(buf_cstr(&path), &texts[i], err);
        files[i] = (struct migration_file){entries[i]->d_name, texts[i].data, texts[i].len};
    }
    struct migration_set *set = good ? migration_set_new(files, (size_t)count, err) : NULL;
    for (int i = 0; i < count; i++) {
        buf_free(&texts[i]);
        free(entries[i]);
    }
    buf_free(&path);
    free(texts);
    free(files);
    free(entries);
    return set;
}

void migration_set_free(struct migration_set *set)
{
    if (!set)
        return;
    for (unsigned i = 0; i < set->count; i++) {
        free((char *)set->migrations[i].label);
        free((char *)set->migrations[i].up);
        free((char *)set->migrations[i].down);
    }
    free(set->migrations);
    free(set);
}
