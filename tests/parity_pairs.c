/* Compares many pairs of files by the endpoints' rules, one a line of standard input, fields between tabs:
 *
 *     ENDPOINT LEFT RIGHT                          two files
 *     ENDPOINT LEFT RIGHT SIDE OFFSET LENGTH TEXT  the same, but on SIDE (left, right) TEXT stands in the place of
 *                                                  LENGTH bytes from OFFSET on; it may be empty
 *
 * Answers each with a line: the list of differences, or {"error": "..."}. Files are read once. */
#include "base/file.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "legacy/file.h"
#include "server/endpoints.h"

#include <stdio.h>
#include <stdlib.h>

/* Whether a change leaves JSON is looked at in small files alone: changes of large ones are made in the same way. */
enum { FILES_MOST = 64, VALUE_MOST = 2000, CHECKED_MOST = 1 << 20 };

struct file {
    char *path;
    struct buf content;
};

struct files {
    struct file list[FILES_MOST];
    size_t count;
};

static bool find_file(struct files *files, const char *path, struct slice *content)
{
    for (size_t i = 0; i < files->count; i++) {
        if (strcmp(files->list[i].path, path) == 0) {
            *content = buf_slice(&files->list[i].content);
            return true;
        }
    }
    struct buf read = BUF_INIT;
    if (files->count == FILES_MOST || !file_read(path, (size_t)LEGACY_FILE_MAX, &read, NULL)) {
        buf_free(&read);
        return false;
    }
    files->list[files->count++] = (struct file){mem_strndup(path, strlen(path)), read};
    *content = buf_slice(&read);
    return true;
}

static const struct endpoint *find_endpoint(const char *name)
{
    for (size_t i = 0; i < READ_KIND_COUNT; i++) {
        if (strcmp(endpoints[i].name, name) == 0)
            return &endpoints[i];
    }
    return NULL;
}

static void put_value(struct json_writer *w, const char *key, struct slice value)
{
    json_key(w, slice_of(key));
    if (!value.p)
        json_null(w);
    else
        json_string(w, value.n <= VALUE_MOST ? value : SLICE("..."));
}

static bool put_difference(void *arg, const struct parity_difference *difference)
{
    struct json_writer *w = arg;
    json_begin_object(w);
    json_key(w, SLICE("class"));
    json_string(w, slice_of(parity_class_name(difference->class)));
    json_key(w, SLICE("path"));
    json_string(w, difference->path);
    put_value(w, "left", difference->left);
    put_value(w, "right", difference->right);
    json_end_object(w);
    return true;
}

enum { ENDPOINT_NAME, LEFT_PATH, RIGHT_PATH, SIDE, OFFSET, LENGTH, TEXT, FIELD_COUNT };

/* Cuts the line; returns how many fields it has. */
static int cut(char *line, char *field[FIELD_COUNT])
{
    int count = 0;
    for (char *rest = line; rest && count < FIELD_COUNT;)
        field[count++] = strsep(&rest, "\t");
    return count;
}

/* The content with the text in its place; `into` owns it. */
static bool splice(struct slice *content, char *const field[FIELD_COUNT], struct buf *into)
{
    size_t offset = strtoull(field[OFFSET], NULL, 10);
    size_t length = strtoull(field[LENGTH], NULL, 10);
    if (offset > content->n || length > content->n - offset)
        return false;
    buf_append(into, content->p, offset);
    buf_append_str(into, field[TEXT]);
    buf_append(into, content->p + offset + length, content->n - offset - length);
    *content = buf_slice(into);
    return true;
}

static bool compare(struct files *files, char *line, struct buf *out, struct err *err)
{
    char *field[FIELD_COUNT];
    int count = cut(line, field);
    if (count != SIDE && count != FIELD_COUNT)
        return err_set(err, ERR_INVALID, "a line of %d fields", count);
    const struct endpoint *endpoint = find_endpoint(field[ENDPOINT_NAME]);
    if (!endpoint)
        return err_set(err, ERR_NOT_FOUND, "no endpoint %s", field[ENDPOINT_NAME]);
    struct slice text[2];
    for (int side = 0; side < 2; side++) {
        if (!find_file(files, field[LEFT_PATH + side], &text[side]))
            return err_set(err, ERR_IO, "cannot read %s", field[LEFT_PATH + side]);
    }
    struct buf changed = BUF_INIT;
    bool compared = false;
    int side = count == FIELD_COUNT && strcmp(field[SIDE], "right") == 0;
    if (count == FIELD_COUNT && !splice(&text[side], field, &changed)) {
        (void)err_set(err, ERR_INVALID, "no such place in %s", field[LEFT_PATH + side]);
    } else if (text[side].n <= CHECKED_MOST && !json_check(text[side], NULL, NULL)) {
        (void)err_set(err, ERR_INVALID, "not JSON: %s", field[LEFT_PATH + side]);
    } else {
        struct json_writer w = json_writer_on(out);
        struct parity_counts counts;
        json_begin_array(&w);
        compared = parity_compare(text[0], text[1], endpoint->parity_rules, put_difference, &w, &counts, err);
        json_end_array(&w);
    }
    buf_free(&changed);
    return compared;
}

int main(void)
{
    struct files files = {.count = 0};
    struct buf out = BUF_INIT;
    char *line = NULL;
    size_t capacity = 0;
    for (ssize_t n; (n = getline(&line, &capacity, stdin)) > 0;) {
        line[n - (line[n - 1] == '\n')] = '\0';
        struct err err = ERR_INIT;
        buf_clear(&out);
        if (!compare(&files, line, &out, &err)) {
            buf_clear(&out);
            struct json_writer w = json_writer_on(&out);
            json_begin_object(&w);
            json_key(&w, SLICE("error"));
            json_string(&w, slice_of(err.text));
            json_end_object(&w);
        }
        (void)puts(buf_cstr(&out));
        (void)fflush(stdout);
    }
    free(line);
    buf_free(&out);
    for (size_t i = 0; i < files.count; i++) {
        free(files.list[i].path);
        buf_free(&files.list[i].content);
    }
    return 0;
}
