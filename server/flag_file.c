#include "server/flag_file.h"

#include "base/file.h"
#include "base/mem.h"
#include "legacy/writer.h"

#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 256 * 1024 };

bool flag_file_read(const char *path, struct flag_store_rows *rows, struct err *err)
{
    struct buf text = BUF_INIT;
    bool good = file_read(path, FILE_MAX, &text, err) &&
                (flag_mirror_parse(buf_slice(&text), rows, err) || err_wrap(err, "%s", path));
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
