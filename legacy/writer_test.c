#include "legacy/testing.h"
#include "legacy/writer.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void assert_content(const struct folder *folder, const char *name, struct slice expected)
{
    char path[256];
    folder_path(folder, name, path);
    struct buf text = file_text(path);
    assert_int_equal(text.len, expected.n);
    assert_memory_equal(text.data, expected.p, expected.n);
    buf_free(&text);
}

static void a_file_is_written_and_replaced(void **state)
{
    (void)state;
    struct folder folder = folder_new();
    struct err err = ERR_INIT;
    assert_true(legacy_write_file(folder.path, "a.json", SLICE("{\"first\":1}\n"), &err));
    assert_content(&folder, "a.json", SLICE("{\"first\":1}\n"));
    assert_true(legacy_write_file(folder.path, "a.json", SLICE(""), &err));
    assert_content(&folder, "a.json", SLICE(""));
    assert_int_equal(folder_count(&folder), 1);
    char path[256];
    folder_path(&folder, "a.json", path);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0600, 0600);
    folder_free(&folder);
}

static void pieces_of_every_size_arrive_in_order(void **state)
{
    (void)state;
    struct folder folder = folder_new();
    struct err err = ERR_INIT;
    struct buf expected = BUF_INIT;
    (void)buf_cstr(&expected);
    struct legacy_writer *writer = legacy_writer_open(folder.path, "a.json", &err);
    assert_non_null(writer);
    static const size_t sizes[] = {0, 1, 100, 262143, 1, 262144, 5, 262145, 700000, 0, 3};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t start = expected.len;
        for (size_t j = 0; j < sizes[i]; j++)
            buf_append_char(&expected, (char)('a' + (i + j) % 26));
        assert_true(legacy_writer_write(writer, (struct slice){expected.data + start, sizes[i]}, &err));
    }
    assert_true(legacy_writer_commit(writer, &err));
    assert_content(&folder, "a.json", buf_slice(&expected));
    buf_free(&expected);
    folder_free(&folder);
}

static void an_abort_leaves_the_old_file(void **state)
{
    (void)state;
    struct folder folder = folder_new();
    struct err err = ERR_INIT;
    folder_put(&folder, "a.json", "old");
    struct legacy_writer *writer = legacy_writer_open(folder.path, "a.json", &err);
    assert_non_null(writer);
    assert_true(legacy_writer_write(writer, SLICE("new"), &err));
    assert_content(&folder, "a.json", SLICE("old"));
    legacy_writer_abort(writer);
    legacy_writer_abort(NULL);
    assert_content(&folder, "a.json", SLICE("old"));
    assert_int_equal(folder_count(&folder), 1);
    folder_free(&folder);
}

static void two_writers_of_one_file_do_not_meet(void **state)
{
    (void)state;
    struct folder folder = folder_new();
    struct err err = ERR_INIT;
    struct legacy_writer *first = legacy_writer_open(folder.path, "a.json", &err);
    struct legacy_writer *second = legacy_writer_open(folder.path, "a.json", &err);
    assert_non_null(first);
    assert_non_null(second);
    assert_true(legacy_writer_write(first, SLICE("first"), &err));
    assert_true(legacy_writer_write(second, SLICE("second"), &err));
    assert_true(legacy_writer_commit(second, &err));
    assert_content(&folder, "a.json", SLICE("second"));
    assert_true(legacy_writer_commit(first, &err));
    assert_content(&folder, "a.json", SLICE("first"));
    assert_int_equal(folder_count(&folder), 1);
    folder_free(&folder);
}

static void errors_name_the_file(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    assert_false(legacy_write_file("/nonexistent/folder", "a.json", SLICE("x"), &err));
    assert_int_equal(err.code, ERR_IO);
    assert_string_equal(err.text, "/nonexistent/folder: cannot open the folder: No such file or directory");

    struct folder folder = folder_new();
    char path[256];
    folder_path(&folder, "taken.json", path);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_false(legacy_write_file(folder.path, "taken.json", SLICE("x"), &err));
    assert_int_equal(err.code, ERR_IO);
    assert_non_null(strstr(err.text, "/taken.json: cannot replace it: Is a directory"));
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(folder_count(&folder), 0);
    folder_free(&folder);
}

/* Writes 1 MB in pieces into a place that cannot hold it. 0 when all went as it must. */
static int write_too_much(const struct folder *folder, const char *reason)
{
    struct err err = ERR_INIT;
    char piece[4096];
    memset(piece, 'x', sizeof piece);
    struct legacy_writer *writer = legacy_writer_open(folder->path, "a.json", &err);
    if (!writer)
        return 2;
    bool ok = true;
    for (int i = 0; i < 256; i++)
        ok = legacy_writer_write(writer, (struct slice){piece, sizeof piece}, &err);
    if (ok)
        return 3;
    err = (struct err)ERR_INIT;
    if (legacy_writer_commit(writer, &err) || err.code != ERR_IO || !strstr(err.text, "/a.json: cannot write: ") ||
        !strstr(err.text, reason))
        return 4;
    char path[256];
    folder_path(folder, "a.json", path);
    struct buf old = file_text(path);
    bool kept = slice_is(buf_slice(&old), "old");
    buf_free(&old);
    return kept && folder_count(folder) == 1 ? 0 : 5;
}

static int exit_status_of(pid_t child)
{
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void a_file_that_grows_too_large_is_taken_back(void **state)
{
    (void)state;
    struct folder folder = folder_new();
    folder_put(&folder, "a.json", "old");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit limit = {65536, 65536};
        (void)signal(SIGXFSZ, SIG_IGN);
        _exit(setrlimit(RLIMIT_FSIZE, &limit) == 0 ? write_too_much(&folder, "File too large") : 1);
    }
    assert_int_equal(exit_status_of(child), 0);
    folder_free(&folder);
}

/* A full disk of its own, where the system lets a test have one. */
static void a_full_disk_is_said_and_the_old_file_stays(void **state)
{
    (void)state;
    enum { NOT_ALLOWED = 77 };
    struct folder folder = folder_new();
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if ((unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) ||
            mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
            mount("tmpfs", folder.path, "tmpfs", 0, "size=128k") != 0)
            _exit(NOT_ALLOWED);
        folder_put(&folder, "a.json", "old");
        _exit(write_too_much(&folder, "No space left on device"));
    }
    int status = exit_status_of(child);
    folder_free(&folder);
    if (status == NOT_ALLOWED)
        skip();
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_written_and_replaced),
        cmocka_unit_test(pieces_of_every_size_arrive_in_order),
        cmocka_unit_test(an_abort_leaves_the_old_file),
        cmocka_unit_test(two_writers_of_one_file_do_not_meet),
        cmocka_unit_test(errors_name_the_file),
        cmocka_unit_test(a_file_that_grows_too_large_is_taken_back),
        cmocka_unit_test(a_full_disk_is_said_and_the_old_file_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
