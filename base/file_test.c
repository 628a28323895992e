#include "base/file.h"
#include "base/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct sample {
    char folder[32];
    char path[64];
};

static void make(struct sample *sample, size_t size)
{
    (void)snprintf(sample->folder, sizeof sample->folder, "/tmp/nof0-file-XXXXXX");
    assert_non_null(mkdtemp(sample->folder));
    (void)snprintf(sample->path, sizeof sample->path, "%s/file", sample->folder);
    FILE *file = fopen(sample->path, "wb");
    assert_non_null(file);
    for (size_t i = 0; i < size; i++)
        assert_int_not_equal(putc((int)(i % 251), file), EOF);
    assert_int_equal(fclose(file), 0);
}

static void drop(struct sample *sample)
{
    (void)unlink(sample->path);
    assert_int_equal(rmdir(sample->folder), 0);
}

static void every_size_comes_whole(void **state)
{
    (void)state;
    const size_t sizes[] = {0, 1, 4095, 4096, 65535, 65536, 65537, 1000003};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct sample sample;
        make(&sample, sizes[i]);
        struct buf text = BUF_INIT;
        struct err err = ERR_INIT;
        buf_append_str(&text, "before");
        assert_true(file_read(sample.path, sizes[i], &text, &err));
        assert_int_equal(text.len, 6 + sizes[i]);
        assert_memory_equal(text.data, "before", 6);
        for (size_t k = 0; k < sizes[i]; k++)
            if ((unsigned char)text.data[6 + k] != k % 251)
                fail_msg("byte %zu of %zu", k, sizes[i]);
        buf_free(&text);
        drop(&sample);
    }
}

static void expect_fault(const char *path, size_t most, enum err_code code, const char *why)
{
    struct buf text = BUF_INIT;
    struct err err = ERR_INIT;
    char wanted[256];
    (void)snprintf(wanted, sizeof wanted, "%s: %s", path, why);
    assert_false(file_read(path, most, &text, &err));
    assert_int_equal(err.code, code);
    assert_string_equal(err.text, wanted);
    assert_false(file_read(path, most, &text, NULL));
    buf_free(&text);
}

static void what_cannot_be_read_is_told(void **state)
{
    (void)state;
    struct sample sample;
    make(&sample, 101);
    expect_fault(sample.path, 100, ERR_LIMIT, "is longer than 100 bytes");
    expect_fault(sample.path, 0, ERR_LIMIT, "is longer than 0 bytes");
    expect_fault(sample.folder, 100, ERR_IO, "Is a directory");
    drop(&sample);
    expect_fault(sample.path, 100, ERR_NOT_FOUND, "No such file or directory");
    /* Longer than it says of itself: it has no size. */
    expect_fault("/dev/zero", 1000000, ERR_LIMIT, "is longer than 1000000 bytes");
}

static void a_pipe_is_read_to_its_end(void **state)
{
    (void)state;
    int ends[2];
    char path[64];
    struct buf text = BUF_INIT;
    struct err err = ERR_INIT;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "one", 3), 3);
    (void)snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    assert_int_equal(close(ends[1]), 0);
    assert_true(file_read(path, 1 << 20, &text, &err));
    assert_int_equal(text.len, 3);
    assert_memory_equal(text.data, "one", 3);
    (void)close(ends[0]);
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_comes_whole),
        cmocka_unit_test(what_cannot_be_read_is_told),
        cmocka_unit_test(a_pipe_is_read_to_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
