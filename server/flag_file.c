#include "server/flag_file.h"

#include "base/mem.h"
#include "legacy/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { FILE_MAX = 256 * 1024 };

/* At most FILE_MAX bytes. */
static bool read_whole(const char *path, struct buf *text, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return err_set(err, ERR_NOT_FOUND, "%s does not exist", path);
    if (fd < 0)
        return err_set_errno(err, errno, "cannot open %s", path);
    ssize_t n = 0;
    bool good = true;
    do {
        n = read(fd, buf_reserve(text, FILE_MAX), FILE_MAX);
        if (n > 0)
            text->len += (size_t)n;
    } while ((n > 0 && text->len <= FILE_MAX) || (n < 0 && errno == EINTR));
    if (n < 0)
        good = err_set_errno(err, errno, "cannot read %s", path);
    else if (text->len > FILE_MAX)
        good = err_set(err, ERR_INVALID, "%s is too large for a file of flags", path);
    (void)close(fd);
    return good;
}

bool flag_file_read(const char *path, struct flag_store_rows *rows, struct err *err)
{
    struct buf text = BUF_INIT;
    bool good =
        read_whole(path, &text, err) && (flag_mirror_parse(buf_slice(&text), rows, err) || err_wrap(err, "%s", path));
    buf_free(&text);
    return good;
}

bool flag_file_write(const char *path, const struct flag_store_rows *rows, struct err *err)
{
    struct buf text = BUF_INIT;
    const char *slash = strrchr(path, '/');
    char *dir = slash == path ? mem_strndup("/", 1)
                : slash       ? mem_strndup(path, (size_t)(slash - path))
                              : mem_strndup(".", 1);
    flag_mirror_put(&text, rows);
    buf_append_char(&text, '\n');
    bool good = legacy_write_file(dir, slash ? slash + 1 : path, buf_slice(&text), err);
    buf_free(&text);
    free(dir);
    return good;
}
