#include "ingest/event_file.h"

#include "base/json_read.h"
#include "base/mem.h"
#include "ingest/digest.h"
#include "ingest/event_input.h"
#include "ingest/report.h"
#include "repo/cells.h"
#include "repo/session.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BATCH_ITEMS = 4096,
    BATCH_BYTES = 8 << 20,
    ATOMIC_BYTES = 64 << 20,
    HEAD_BYTES = 64 * 1024,
    TOLD_MOST = 100, /* rejected items */
};

struct file {
    const struct event_file_options *options;
    struct report *report;
    struct event_writer *writer;
    struct event_input *input;
    struct arena *arena;
    const char *name;
    int fd;
    bool known_again; /* a regular file, whose place is kept */
    struct slice old_head;
    struct slice head; /* "{bytes}-{digest}" */
    uint64_t bytes_done;
    uint64_t items_done;
    uint64_t bytes_before; /* done by an earlier run */

    struct event_batch *batch;
    uint64_t *numbers; /* of the batch's items */
    size_t numbers_room;
    uint64_t batch_end;
    size_t unfinished; /* of its items, which shall be read again: 0 or 1 */

    struct event_counts counts;
    size_t told;
    bool faulty; /* an array that cannot be taken apart */
};

/* --- where it was left --- */

static struct slice head_of(struct file *file, struct slice bytes)
{
    struct slice digest = digest_hex(file->arena, bytes);
    return slice_of(arena_printf(file->arena, "%zu-%.*s", bytes.n, SLICE_ARG(digest)));
}

/* Takes the place of the longest head that the file begins with. */
static bool find_place(struct file *file, struct slice beginning, uint64_t size, struct session *session,
                       struct err *err)
{
    struct params params = params_on(file->arena);
    params_add_text(&params, slice_of(event_kind_name(file->options->kind)));
    PGresult *result =
        session_query(session, "SELECT head, bytes_done, items_done FROM ingest_files WHERE kind = $1", &params, err);
    if (!result)
        return false;
    size_t best = 0;
    for (int i = 0; i < PQntuples(result); i++) {
        struct slice head = cell_text(result, i, 0);
        uint64_t done = (uint64_t)cell_i64(result, i, 1).v;
        size_t n = strtoul(head.p, NULL, 10);
        if (n <= best || n > beginning.n || done > size ||
            !slice_equal(head, head_of(file, (struct slice){beginning.p, n})))
            continue;
        best = n;
        file->old_head = arena_copy(file->arena, head);
        file->bytes_done = done;
        file->items_done = (uint64_t)cell_i64(result, i, 2).v;
    }
    PQclear(result);
    return true;
}

static bool read_place(struct file *file, uint64_t size, struct err *err)
{
    char *beginning = arena_alloc(file->arena, HEAD_BYTES);
    ssize_t n = pread(file->fd, beginning, HEAD_BYTES, 0);
    if (n < 0)
        return err_set_errno(err, errno, "%s", file->options->path);
    file->head = head_of(file, (struct slice){beginning, (size_t)n});
    struct session *session = session_open(file->options->dsn, err);
    if (!session)
        return err_wrap(err, "Postgres");
    bool good = find_place(file, (struct slice){beginning, (size_t)n}, size, session, err);
    session_close(session);
    if (file->options->restart)
        file->bytes_done = file->items_done = 0;
    file->bytes_before = file->bytes_done;
    return good;
}

static const char place_sql[] =
    "WITH gone AS (DELETE FROM ingest_files WHERE kind = $1 AND head = $2 AND head <> $3)"
    " INSERT INTO ingest_files (kind, head, bytes_done, items_done) VALUES ($1, $3, $4, $5)"
    " ON CONFLICT (kind, head) DO UPDATE SET bytes_done = EXCLUDED.bytes_done, items_done = EXCLUDED.items_done,"
    " updated_at = now()";

/* --- batches --- */

static void begin_batch(struct file *file)
{
    event_batch_free(file->batch);
    file->batch = event_batch_new(file->options->kind, file->options->prices_provider);
    if (file->options->atomic)
        event_batch_set_atomic(file->batch);
    file->unfinished = 0;
}

static void add_item(struct file *file, const struct event_input_item *item)
{
    size_t n = event_batch_count(file->batch);
    if (!file->numbers || n == file->numbers_room) {
        file->numbers_room = n ? n * 2 : BATCH_ITEMS;
        file->numbers = mem_realloc(file->numbers, file->numbers_room * sizeof *file->numbers);
    }
    file->numbers[n] = item->number;
    event_batch_add(file->batch, item->text);
    if (item->unfinished && !json_check(item->text, NULL, NULL))
        file->unfinished++;
    else
        file->batch_end = item->end;
}

static void tell_rejected(struct file *file)
{
    bool lines = event_input_is_lines(file->input);
    for (size_t i = 0; file->numbers && i < event_batch_count(file->batch); i++) {
        const struct event_outcome *outcome = event_batch_outcome(file->batch, i);
        if (outcome->status == EVENT_REJECTED && file->told++ < TOLD_MOST)
            report_problem(file->report, lines ? "%s:%" PRIu64 ": %s %.*s: %.*s" : "%s[%" PRIu64 "]: %s %.*s: %.*s",
                           file->name, file->numbers[i], outcome->code, SLICE_ARG(outcome->path),
                           SLICE_ARG(outcome->reason));
    }
}

static bool store_batch(struct file *file, struct err *err)
{
    size_t items = event_batch_count(file->batch);
    if (items == 0)
        return true;
    file->items_done += items - file->unfinished;
    struct params params = params_on(file->arena);
    params_add_text(&params, slice_of(event_kind_name(file->options->kind)));
    params_add_text(&params, file->old_head);
    params_add_text(&params, file->head);
    params_add_i64(&params, (int64_t)file->batch_end);
    params_add_i64(&params, (int64_t)file->items_done);
    const struct event_note note = {"ingest_place", place_sql, &params};
    bool good = file->known_again ? event_writer_store_noted(file->writer, file->batch, &note, NULL, err)
                                  : event_writer_store(file->writer, &file->batch, 1, NULL, err);
    if (!good)
        return err_wrap(err, "Postgres");
    struct event_counts counts = event_batch_counts(file->batch);
    file->counts.accepted += counts.accepted;
    file->counts.duplicate += counts.duplicate;
    file->counts.rejected += counts.rejected;
    file->bytes_done = file->batch_end;
    tell_rejected(file);
    begin_batch(file);
    return true;
}

static bool is_stopped(const struct file *file)
{
    return file->options->stop && *file->options->stop;
}

static bool is_full(const struct file *file)
{
    return !file->options->atomic &&
           (event_batch_count(file->batch) >= BATCH_ITEMS || event_batch_bytes(file->batch) >= BATCH_BYTES);
}

static bool take_item(struct file *file, const struct event_input_item *item, struct err *err)
{
    report_progress(file->report, item->end, file->name);
    if (item->start < file->bytes_before)
        return true;
    add_item(file, item);
    if (file->options->atomic && event_input_read(file->input) > ATOMIC_BYTES)
        return err_set(err, ERR_LIMIT, "%s: with --atomic it may be %d MiB at most", file->name, ATOMIC_BYTES >> 20);
    return !is_full(file) || store_batch(file, err);
}

/* The input cannot go on, as *err says; what stood before is good. */
static bool end_early(struct file *file, struct err *err)
{
    struct err fault = *err;
    *err = (struct err)ERR_INIT;
    if (!file->options->atomic && !store_batch(file, err))
        return false;
    if (fault.code != ERR_INVALID)
        return err_set(err, fault.code, "%s: %s", file->name, fault.text);
    file->faulty = true;
    report_problem(file->report, "%s: %s", file->name, fault.text);
    return true;
}

static bool take_all(struct file *file, struct err *err)
{
    file->batch_end = file->bytes_done;
    begin_batch(file);
    while (!is_stopped(file)) {
        struct event_input_item item;
        switch (event_input_next(file->input, &item, err)) {
        case EVENT_INPUT_ITEM:
            if (!take_item(file, &item, err))
                return false;
            break;
        case EVENT_INPUT_IDLE:
            if (!file->options->atomic && !store_batch(file, err))
                return false;
            break;
        case EVENT_INPUT_SIGNAL:
            break;
        case EVENT_INPUT_END:
            return store_batch(file, err);
        case EVENT_INPUT_FAULT:
            return end_early(file, err);
        }
    }
    return err_set(err, ERR_UNAVAILABLE, "stopped; what was stored is stored%s",
                   file->known_again ? ", and the same command goes on from there" : "");
}

/* --- the whole --- */

static bool open_file(struct file *file, struct err *err)
{
    const char *path = file->options->path;
    struct stat status;
    bool standard = strcmp(path, "-") == 0;
    const char *slash = strrchr(path, '/');
    file->name = standard ? "standard input" : slash && slash[1] ? slash + 1 : path;
    file->fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0 || fstat(file->fd, &status) != 0)
        return err_set_errno(err, errno, "%s", path);
    if (S_ISDIR(status.st_mode))
        return err_set(err, ERR_INVALID, "%s is a folder", path);
    file->known_again = !standard && S_ISREG(status.st_mode);
    if (file->known_again)
        report_begin_work(file->report, (uint64_t)status.st_size);
    if (file->known_again && file->options->atomic && status.st_size > ATOMIC_BYTES)
        return err_set(err, ERR_LIMIT, "%s: with --atomic it may be %d MiB at most", file->name, ATOMIC_BYTES >> 20);
    return !file->known_again || read_place(file, (uint64_t)status.st_size, err);
}

static bool run(struct file *file, struct err *err)
{
    if (!open_file(file, err))
        return false;
    const struct event_writer_options options = {.dsn = file->options->dsn};
    file->writer = event_writer_open(&options, err);
    if (!file->writer)
        return err_wrap(err, "Postgres");
    file->input = event_input_new(file->fd, file->options->most_item_bytes);
    return take_all(file, err);
}

static void sum_up(struct file *file)
{
    const struct event_counts *counts = &file->counts;
    if (file->told > TOLD_MOST)
        report_problem(file->report, "%s: and %zu more", file->name, file->told - TOLD_MOST);
    if (file->bytes_before && counts->accepted + counts->duplicate + counts->rejected == 0 && !file->faulty)
        report_line(file->report, "%s: nothing new; %" PRIu64 " items were taken in before", file->name,
                    file->items_done);
    else if (file->bytes_before)
        report_line(file->report, "%s: %zu accepted, %zu duplicate, %zu rejected, from byte %" PRIu64 " on", file->name,
                    counts->accepted, counts->duplicate, counts->rejected, file->bytes_before);
    else
        report_line(file->report, "%s: %zu accepted, %zu duplicate, %zu rejected", file->name, counts->accepted,
                    counts->duplicate, counts->rejected);
}

enum event_file_result event_file_store(const struct event_file_options *options)
{
    struct file file = {.options = options,
                        .report = report_new(options->out, options->problems, options->quiet, options->bar),
                        .arena = arena_new(0),
                        .name = options->path,
                        .fd = -1};
    struct err err = ERR_INIT;
    bool good = run(&file, &err);
    report_end_work(file.report);
    if (file.input)
        sum_up(&file);
    /* SQLSTATE undefined_table */
    const char *hint = strstr(err.text, "42P01") ? "; bring the schema up to date with nof0ctl migrate up" : "";
    if (!good)
        report_problem(file.report, "ingest: %s%s", err.text, hint);
    bool rejected = file.counts.rejected > 0 || file.faulty;
    event_input_free(file.input);
    event_batch_free(file.batch);
    event_writer_close(file.writer);
    if (file.fd > STDIN_FILENO)
        (void)close(file.fd);
    free(file.numbers);
    arena_free(file.arena);
    report_free(file.report);
    if (!good)
        return EVENT_FILE_FAILED;
    return rejected ? EVENT_FILE_REJECTED : EVENT_FILE_DONE;
}
