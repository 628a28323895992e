/* What the tests of this room share: a folder of their own that they fill and look into. */
#ifndef NOF0_LEGACY_TESTING_H
#define NOF0_LEGACY_TESTING_H

#include "base/file.h"
#include "base/testing.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct folder {
    char path[64];
};

static inline struct folder folder_new(void)
{
    struct folder folder = {"/tmp/nof0-legacy-test-XXXXXX"};
    assert_non_null(mkdtemp(folder.path));
    return folder;
}

static inline void folder_path(const struct folder *folder, const char *name, char out[256])
{
    (void)snprintf(out, 256, "%s/%s", folder->path, name);
}

/* Overwrites in place, as a careless writer does: the inode stays. */
static inline void folder_put(const struct folder *folder, const char *name, const char *content)
{
    char path[256];
    folder_path(folder, name, path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, strlen(content), file), strlen(content));
    assert_int_equal(fclose(file), 0);
}

static inline void folder_drop(const struct folder *folder, const char *name)
{
    char path[256];
    folder_path(folder, name, path);
    assert_int_equal(unlink(path), 0);
}

/* Puts a file's time well into the past, so that it counts as settled; `tick` makes it differ. */
static inline void folder_age(const struct folder *folder, const char *name, long tick)
{
    char path[256];
    folder_path(folder, name, path);
    struct timespec times[2] = {{1700000000, tick}, {1700000000, tick}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* The file's bytes with a NUL behind them; free with buf_free. No bytes when there is no such file. */
static inline struct buf file_text(const char *path)
{
    struct buf text = BUF_INIT;
    (void)!file_read(path, SIZE_MAX - 1, &text, NULL);
    (void)buf_cstr(&text);
    return text;
}

static inline size_t folder_count(const struct folder *folder)
{
    size_t count = 0;
    DIR *dir = opendir(folder->path);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    (void)closedir(dir);
    return count;
}

static inline void folder_free(const struct folder *folder)
{
    DIR *dir = opendir(folder->path);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
    }
    (void)closedir(dir);
    assert_int_equal(rmdir(folder->path), 0);
}

#endif
