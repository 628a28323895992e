#include "ingest/capture_keep.h"

#include "base/clock.h"
#include "legacy/writer.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum capture_endpoint capture_keep_group(const struct target *target)
{
    return target->endpoint == CAPTURE_ANALYTICS_ONE ? CAPTURE_ANALYTICS : target->endpoint;
}

bool capture_keep_read(struct capture_keep *keep, const struct target *target, struct buf *text)
{
    struct err err = ERR_INIT;
    bool good =
        capture_read_file(keep->dir, target->file, text, &err) &&
        (capture_entry_holds(keep->state, target->entry) || capture_check(target->endpoint, buf_slice(text), &err));
    if (!good)
        buf_clear(text);
    return good;
}

static void put_pending_name(struct buf *name, const struct target *target)
{
    buf_printf(name, ".%s.pending", target->file);
    (void)buf_cstr(name);
}

/* Removes the pending text, or puts it in the file's place. */
static bool end_pending(const struct capture_keep *keep, const struct target *target, bool take, struct err *err)
{
    struct buf from = BUF_INIT;
    struct buf to = BUF_INIT;
    buf_printf(&from, "%s/", keep->dir);
    put_pending_name(&from, target);
    buf_printf(&to, "%s/%s", keep->dir, target->file);
    bool good = (take ? rename(buf_cstr(&from), buf_cstr(&to)) : unlink(buf_cstr(&from))) == 0;
    if (!good)
        err_set_errno(err, errno, "%s", from.data);
    buf_free(&from);
    buf_free(&to);
    return good;
}

/* The pending text's differences go into the database and it takes the file's place. */
static bool feed_pending(struct capture_keep *keep, struct target *target, struct slice before, struct slice now,
                         struct err *err)
{
    struct buf beyond = BUF_INIT;
    bool good = capture_feed_differences(keep->feed, target->endpoint, before, now, clock_wall_ms(), &beyond, err) &&
                end_pending(keep, target, true, err);
    if (good) {
        capture_entry_written(keep->state, target->entry, now, beyond.len == 0);
        if (beyond.len)
            keep->import_due[capture_keep_group(target)] = true;
    }
    buf_free(&beyond);
    return good;
}

bool capture_keep_settle(struct capture_keep *keep, struct target *target, struct err *err)
{
    if (!keep->feed)
        return true;
    struct buf name = BUF_INIT;
    struct buf pending = BUF_INIT;
    struct buf before = BUF_INIT;
    struct err unread = ERR_INIT;
    put_pending_name(&name, target);
    bool read = capture_read_file(keep->dir, name.data, &pending, &unread);
    bool missing = !read && unread.code == ERR_NOT_FOUND;
    bool good = missing;
    if (!missing) {
        /* Without what the database has, there is nothing that it continues: the next answer is imported whole. */
        bool continues = read && capture_check(target->endpoint, buf_slice(&pending), &unread) &&
                         target->entry->ingested && capture_entry_holds(keep->state, target->entry) &&
                         capture_keep_read(keep, target, &before);
        good = continues ? feed_pending(keep, target, buf_slice(&before), buf_slice(&pending), err)
                         : end_pending(keep, target, false, err);
    }
    buf_free(&name);
    buf_free(&pending);
    buf_free(&before);
    return good;
}

bool capture_keep_write(struct capture_keep *keep, struct target *target, struct slice before, struct slice now,
                        struct err *err)
{
    bool continues = keep->feed && before.n && target->entry->ingested;
    if (!continues) {
        if (!legacy_write_file(keep->dir, target->file, now, err))
            return false;
        capture_entry_written(keep->state, target->entry, now, false);
        capture_keep_confirm(keep, target);
        return true;
    }
    struct buf name = BUF_INIT;
    put_pending_name(&name, target);
    bool good = legacy_write_file(keep->dir, name.data, now, err) && feed_pending(keep, target, before, now, err);
    buf_free(&name);
    return good;
}

void capture_keep_confirm(struct capture_keep *keep, const struct target *target)
{
    if (keep->feed && !target->entry->ingested)
        keep->import_due[capture_keep_group(target)] = true;
}

bool capture_keep_import(struct capture_keep *keep, enum capture_endpoint group, const struct targets *targets,
                         struct err *err)
{
    if (!keep->import_due[group])
        return true;
    if (!capture_feed_import(keep->feed, group, err))
        return false;
    keep->import_due[group] = false;
    for (size_t i = 0; i < targets->count; i++) {
        const struct target *target = targets->list[i];
        if (target->entry && capture_keep_group(target) == group && capture_entry_holds(keep->state, target->entry))
            capture_entry_ingested(keep->state, target->entry, true);
    }
    return true;
}
