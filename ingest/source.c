#include "ingest/source.h"

#include "base/buf.h"
#include "base/json_read.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

uint64_t source_size(const char *dir, const char *name)
{
    struct buf path = BUF_INIT;
    buf_printf(&path, "%s/%s", dir, name);
    struct stat status;
    bool found = stat(buf_cstr(&path), &status) == 0;
    buf_free(&path);
    return found && status.st_size > 0 ? (uint64_t)status.st_size : 0;
}

static bool map_file(struct source *source, const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        source->missing = errno == ENOENT;
        return err_set_errno(err, errno, "cannot open it");
    }
    bool ok = false;
    struct stat status;
    if (fstat(fd, &status) != 0) {
        err_set_errno(err, errno, "cannot look at it");
    } else if (!S_ISREG(status.st_mode)) {
        err_set(err, ERR_INVALID, "is no regular file");
    } else if (status.st_size == 0) {
        ok = true;
        source->text = SLICE("");
    } else {
        void *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        ok = bytes != MAP_FAILED;
        if (ok) {
            source->text = (struct slice){bytes, (size_t)status.st_size};
            (void)madvise(bytes, source->text.n, MADV_SEQUENTIAL);
        } else {
            err_set_errno(err, errno, "cannot map it");
        }
    }
    (void)close(fd);
    return ok;
}

void source_open(struct source *source, struct report *report, const char *dir, const char *name)
{
    *source = (struct source){.report = report, .name = mem_strndup(name, strlen(name))};
    struct buf path = BUF_INIT;
    buf_printf(&path, "%s/%s", dir, name);
    struct err err = ERR_INIT;
    if (!map_file(source, buf_cstr(&path), &err) && !source->missing) {
        report_problem(report, "%s: %s", name, err.text);
        source->faults++;
    }
    buf_free(&path);
}

void source_close(struct source *source)
{
    if (source->text.n)
        (void)munmap((void *)(uintptr_t)source->text.p, source->text.n);
    free(source->name);
    *source = (struct source){0};
}

static bool on_fault(void *arg, const struct json_fault *fault)
{
    struct source *source = arg;
    source->faults++;
    report_problem(source->report, "%s: line %lu, column %lu: %s: %s", source->name, fault->line, fault->column,
                   fault->path, fault->what);
    return true;
}

bool source_check(struct source *source)
{
    return json_check(source->text, on_fault, source) && source->faults == 0;
}

void source_fault(struct source *source, const char *path, const char *what)
{
    source->faults++;
    report_problem(source->report, "%s: %s: %s", source->name, path, what);
}
