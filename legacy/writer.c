#include "legacy/writer.h"

#include "base/buf.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Pieces are gathered to so many bytes before they go to the system. */
enum { GATHER = 256 * 1024, FILE_MODE = 0644 };

struct legacy_writer {
    char *dir;
    char *name;
    char *temporary; /* its name inside dir */
    int dir_fd;
    int fd;
    struct buf gathered;
    int failed; /* errno of the first failure, 0 while all is well */
};

static bool failure(const struct legacy_writer *writer, int number, const char *doing, struct err *err)
{
    return err_set_errno(err, number, "%s/%s: %s", writer->dir, writer->name, doing);
}

static void writer_free(struct legacy_writer *writer)
{
    if (writer->fd >= 0)
        (void)close(writer->fd);
    if (writer->dir_fd >= 0)
        (void)close(writer->dir_fd);
    buf_free(&writer->gathered);
    free(writer->dir);
    free(writer->name);
    free(writer->temporary);
    free(writer);
}

/* Takes a name that nobody has, hidden and without ".json", so that no reader of the folder takes it for a feed. */
static bool create_temporary(struct legacy_writer *writer)
{
    const unsigned tries = 1000;
    for (unsigned i = 0; i < tries; i++) {
        free(writer->temporary);
        if (asprintf(&writer->temporary, ".%s.%ld.%u.tmp", writer->name, (long)getpid(), i) < 0) {
            writer->temporary = NULL;
            errno = ENOMEM;
            return false;
        }
        writer->fd = openat(writer->dir_fd, writer->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
        if (writer->fd >= 0 || errno != EEXIST)
            return writer->fd >= 0;
    }
    return false;
}

struct legacy_writer *legacy_writer_open(const char *dir, const char *name, struct err *err)
{
    struct legacy_writer *writer = mem_zalloc(sizeof *writer);
    writer->dir = mem_strndup(dir, strlen(dir));
    writer->name = mem_strndup(name, strlen(name));
    writer->fd = -1;
    writer->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (writer->dir_fd < 0) {
        (void)err_set_errno(err, errno, "%s: cannot open the folder", dir);
        goto out;
    }
    if (!create_temporary(writer)) {
        (void)failure(writer, errno, "cannot create a temporary file beside it", err);
        goto out;
    }
    return writer;
out:
    writer_free(writer);
    return NULL;
}

static bool write_all(struct legacy_writer *writer, struct slice bytes)
{
    while (bytes.n > 0) {
        ssize_t written = write(writer->fd, bytes.p, bytes.n);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            writer->failed = errno;
            return false;
        }
        bytes.p += written;
        bytes.n -= (size_t)written;
    }
    return true;
}

static bool flush(struct legacy_writer *writer)
{
    bool ok = write_all(writer, buf_slice(&writer->gathered));
    buf_clear(&writer->gathered);
    return ok;
}

bool legacy_writer_write(struct legacy_writer *writer, struct slice bytes, struct err *err)
{
    if (!writer->failed) {
        if (writer->gathered.len + bytes.n >= GATHER && flush(writer) && bytes.n >= GATHER)
            (void)write_all(writer, bytes);
        else if (!writer->failed)
            buf_append_slice(&writer->gathered, bytes);
    }
    return writer->failed ? failure(writer, writer->failed, "cannot write", err) : true;
}

void legacy_writer_abort(struct legacy_writer *writer)
{
    if (!writer)
        return;
    (void)unlinkat(writer->dir_fd, writer->temporary, 0);
    writer_free(writer);
}

bool legacy_writer_commit(struct legacy_writer *writer, struct err *err)
{
    const char *doing = "cannot write";
    if (writer->failed || !flush(writer))
        goto fail;
    doing = "cannot bring it to the disk";
    if (fsync(writer->fd) != 0) {
        writer->failed = errno;
        goto fail;
    }
    /* Some file systems tell only now that the disk is full. */
    int closed = close(writer->fd);
    writer->fd = -1;
    if (closed != 0) {
        writer->failed = errno;
        goto fail;
    }
    doing = "cannot replace it";
    if (renameat(writer->dir_fd, writer->temporary, writer->dir_fd, writer->name) != 0) {
        writer->failed = errno;
        goto fail;
    }
    bool ok = fsync(writer->dir_fd) == 0 || failure(writer, errno, "cannot bring its folder to the disk", err);
    writer_free(writer);
    return ok;
fail:
    (void)failure(writer, writer->failed, doing, err);
    legacy_writer_abort(writer);
    return false;
}

bool legacy_write_file(const char *dir, const char *name, struct slice content, struct err *err)
{
    struct legacy_writer *writer = legacy_writer_open(dir, name, err);
    if (!writer)
        return false;
    (void)legacy_writer_write(writer, content, NULL);
    return legacy_writer_commit(writer, err);
}
