#include "legacy/file.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Linux stamps files by a clock that ticks every 1 to 10 ms; this is well beyond. */
enum { STAMP_TICK_MS = 100 };

static const int64_t ns_per_ms = 1000000;

static struct legacy_signature signature_of(const struct stat *st)
{
    return (struct legacy_signature){(uint64_t)st->st_ino, (int64_t)st->st_size,
                                     (int64_t)st->st_mtim.tv_sec * 1000 * ns_per_ms + st->st_mtim.tv_nsec};
}

static bool same_signature(const struct legacy_signature *a, const struct legacy_signature *b)
{
    return a->inode == b->inode && a->size == b->size && a->mtime_ns == b->mtime_ns;
}

static bool read_all(int fd, size_t size, struct buf *text, struct err *err)
{
    /* One byte more, to see the end without another round. */
    while (text->len <= size) {
        size_t room = size + 1 - text->len;
        ssize_t n = read(fd, buf_reserve(text, room), room);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set_errno(err, errno, "cannot be read");
        if (n == 0)
            break;
        text->len += (size_t)n;
    }
    if (text->len != size)
        return err_set(err, ERR_IO, "changed while it was read");
    return true;
}

/* Opens and reads; *signature is that of the open file. */
static bool read_file(int dir_fd, const char *name, struct legacy_signature *signature, struct buf *text,
                      struct err *err)
{
    bool ok = false;
    struct stat st = {0};
    /* Not blocking: a FIFO of that name must not hold the thread. */
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_set_errno(err, errno, "cannot be opened");
    if (fstat(fd, &st) != 0) {
        (void)err_set_errno(err, errno, "cannot be looked at");
        goto out;
    }
    *signature = signature_of(&st);
    if (!S_ISREG(st.st_mode)) {
        (void)err_set(err, ERR_INVALID, "is no regular file");
        goto out;
    }
    if (st.st_size > LEGACY_FILE_MAX) {
        (void)err_set(err, ERR_LIMIT, "is larger than 1 GiB");
        goto out;
    }
    ok = read_all(fd, (size_t)st.st_size, text, err);
out:
    (void)close(fd);
    return ok;
}

static struct legacy_content *read_content(int dir_fd, const char *name, enum read_kind kind,
                                           struct legacy_signature *signature, struct err *err)
{
    struct buf text = BUF_INIT;
    struct legacy_content *content = NULL;
    if (read_file(dir_fd, name, signature, &text, err))
        content = legacy_content_parse(kind, buf_slice(&text), err);
    buf_free(&text);
    return content;
}

static bool same_bytes(const struct legacy_content *a, const struct legacy_content *b)
{
    return a->body_len == b->body_len && memcmp(a->body, b->body, a->body_len) == 0;
}

/* Gives the file its content: the newest one, or the last good one when that is NULL. */
static void settle_content(struct legacy_file *file, struct legacy_content *newest, struct legacy_file *previous,
                           uint64_t *last_version)
{
    struct legacy_content *last_good = previous ? previous->content : NULL;
    if (!newest) {
        file->content = legacy_content_ref(last_good);
        return;
    }
    newest->version = last_good && same_bytes(newest, last_good) ? last_good->version : ++*last_version;
    file->content = newest;
}

static struct legacy_file *file_new(const char *name, enum read_kind kind, const struct legacy_signature *signature)
{
    struct legacy_file *file = mem_zalloc(sizeof *file);
    atomic_init(&file->references, 1);
    file->kind = kind;
    file->signature = *signature;
    file->state.name = mem_strndup(name, strlen(name));
    file->state.modified_ms = signature->mtime_ns / ns_per_ms;
    file->state.size = (size_t)signature->size;
    int64_t age_ms = clock_wall_ms() - file->state.modified_ms;
    file->look_again = age_ms > -STAMP_TICK_MS && age_ms < STAMP_TICK_MS;
    return file;
}

static void set_fault(struct legacy_file *file, const char *fault)
{
    struct buf text = BUF_INIT;
    if (fault[0])
        buf_printf(&text, "%s: %s", file->state.name, fault);
    (void)buf_cstr(&text);
    file->state.fault = buf_take(&text, NULL);
}

struct legacy_file *legacy_file_look(const struct legacy_folder *folder, const char *name, enum read_kind kind,
                                     struct legacy_file *previous, uint64_t *last_version)
{
    struct stat st = {0};
    struct legacy_signature signature = {0};
    int error = folder->error;
    if (folder->fd >= 0)
        error = fstatat(folder->fd, name, &st, 0) == 0 ? 0 : errno;
    bool is_missing = error == ENOENT || error == ENOTDIR;
    if (error == 0)
        signature = signature_of(&st);
    if (previous && !previous->look_again && (error == 0 || is_missing) &&
        same_signature(&signature, &previous->signature))
        return legacy_file_ref(previous);

    struct err err = ERR_INIT;
    struct legacy_content *newest = NULL;
    if (is_missing)
        (void)err_set(&err, ERR_NOT_FOUND, "the file is missing");
    else if (error != 0)
        (void)err_set_errno(&err, error, "cannot be looked at");
    else
        newest = read_content(folder->fd, name, kind, &signature, &err);

    struct legacy_file *file = file_new(name, kind, &signature);
    file->look_again |= err.code == ERR_IO;
    set_fault(file, err.text);
    settle_content(file, newest, previous, last_version);
    if (newest)
        file->state.state = LEGACY_GOOD;
    else if (file->content)
        file->state.state = LEGACY_STALE;
    else
        file->state.state = is_missing ? LEGACY_MISSING : LEGACY_BAD;
    return file;
}

static uint64_t version_of(const struct legacy_file *file)
{
    return file->content ? file->content->version : 0;
}

static int64_t server_time_of(const struct legacy_file *file)
{
    return file->content && file->content->has_server_time ? file->content->server_time_ms : INT64_MIN;
}

bool legacy_file_same(const struct legacy_file *a, const struct legacy_file *b)
{
    return a == b || (a->state.state == b->state.state && same_signature(&a->signature, &b->signature) &&
                      version_of(a) == version_of(b) && server_time_of(a) == server_time_of(b) &&
                      strcmp(a->state.name, b->state.name) == 0 && strcmp(a->state.fault, b->state.fault) == 0);
}

struct legacy_file *legacy_file_ref(struct legacy_file *file)
{
    atomic_fetch_add_explicit(&file->references, 1, memory_order_relaxed);
    return file;
}

void legacy_file_unref(struct legacy_file *file)
{
    if (!file || atomic_fetch_sub_explicit(&file->references, 1, memory_order_acq_rel) != 1)
        return;
    legacy_content_unref(file->content);
    free((char *)file->state.name);
    free((char *)file->state.fault);
    free(file);
}
