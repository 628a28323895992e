#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 64 * 1024 };

/* How much to ask for first: all of a regular file and one byte more, in which the end shows without more memory. */
static size_t piece_of(int fd)
{
    struct stat status;
    bool known = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0;
    return known ? (size_t)status.st_size + 1 : PIECE;
}

static bool read_from(int fd, const char *path, size_t most, struct buf *text, struct err *err)
{
    size_t piece = piece_of(fd);
    if (piece > most + 1)
        piece = most + 1;
    size_t begin = text->len;
    for (;;) {
        ssize_t n = read(fd, buf_reserve(text, piece), piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set_errno(err, errno, "%s", path);
        if (n == 0)
            return true;
        text->len += (size_t)n;
        piece = (size_t)n < piece ? piece - (size_t)n : PIECE;
        if (text->len - begin > most)
            return err_set(err, ERR_LIMIT, "%s: is longer than %zu bytes", path, most);
    }
}

bool file_read(const char *path, size_t most, struct buf *text, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        bool missing = errno == ENOENT;
        (void)err_set_errno(err, errno, "%s", path);
        if (missing && err)
            err->code = ERR_NOT_FOUND;
        return false;
    }
    bool good = read_from(fd, path, most, text, err);
    (void)close(fd);
    return good;
}
