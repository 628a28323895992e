/* The walk over a file's YAML events. Only sections that the table knows are entered, so the recursion is as deep as
 * the longest key. */
#include "base/config.h"
#include "base/config_row.h"
#include "base/mem.h"

#include <stdlib.h>
#include <yaml.h>

struct seen {
    char *path; /* owned */
    unsigned long line;
};

struct reader {
    const struct config_table *table;
    const char *name;
    config_lookup *lookup;
    void *lookup_arg;
    void *into;
    struct buf *faults;
    bool faulty;
    bool *set; /* by row */
    struct seen *seen;
    size_t seen_count;
    yaml_parser_t parser;
};

static unsigned long line_of(const yaml_event_t *event)
{
    return (unsigned long)event->start_mark.line + 1;
}

static void fault(struct reader *r, unsigned long line, struct slice path, const char *what)
{
    r->faulty = true;
    buf_printf(r->faults, "%s:%lu: ", r->name, line);
    if (path.n) {
        config_put_safely(r->faults, path);
        buf_append_str(r->faults, ": ");
    }
    buf_append_str(r->faults, what);
    buf_append_char(r->faults, '\n');
}

/* The next event, which the caller deletes. False when the YAML is broken; the fault is told then. */
static bool next_event(struct reader *r, yaml_event_t *event)
{
    if (yaml_parser_parse(&r->parser, event))
        return true;
    struct buf what = BUF_INIT;
    const char *problem = r->parser.problem ? r->parser.problem : "cannot be read";
    if (r->parser.context)
        buf_printf(&what, "YAML: %s, %s", r->parser.context, problem);
    else
        buf_printf(&what, "YAML: %s", problem);
    fault(r, (unsigned long)r->parser.problem_mark.line + 1, (struct slice){NULL, 0}, buf_cstr(&what));
    buf_free(&what);
    return false;
}

static bool opens(const yaml_event_t *event)
{
    return event->type == YAML_MAPPING_START_EVENT || event->type == YAML_SEQUENCE_START_EVENT;
}

static bool closes(const yaml_event_t *event)
{
    return event->type == YAML_MAPPING_END_EVENT || event->type == YAML_SEQUENCE_END_EVENT;
}

/* Reads over the rest of the node whose first event is given. */
static bool skip_node(struct reader *r, const yaml_event_t *first)
{
    for (size_t depth = opens(first); depth > 0;) {
        yaml_event_t event;
        if (!next_event(r, &event))
            return false;
        depth += opens(&event);
        depth -= closes(&event);
        yaml_event_delete(&event);
    }
    return true;
}

static const struct config_row *row_at(const struct reader *r, struct slice path)
{
    for (size_t i = 0; i < r->table->row_count; i++)
        if (slice_is(path, r->table->rows[i].key))
            return &r->table->rows[i];
    return NULL;
}

static bool is_section(const struct reader *r, struct slice path)
{
    for (size_t i = 0; i < r->table->row_count; i++) {
        const char *key = r->table->rows[i].key;
        if (strncmp(key, path.p, path.n) == 0 && key[path.n] == '.')
            return true;
    }
    return false;
}

/* Remembers a known path; tells and returns true when it was there before. */
static bool is_doubled(struct reader *r, struct slice path, unsigned long line)
{
    for (size_t i = 0; i < r->seen_count; i++) {
        if (slice_is(path, r->seen[i].path)) {
            struct buf what = BUF_INIT;
            buf_printf(&what, "stands here a second time, first on line %lu", r->seen[i].line);
            fault(r, line, path, buf_cstr(&what));
            buf_free(&what);
            return true;
        }
    }
    r->seen = mem_realloc(r->seen, (r->seen_count + 1) * sizeof *r->seen);
    r->seen[r->seen_count++] = (struct seen){mem_strndup(path.p, path.n), line};
    return false;
}

static bool is_null(const yaml_event_t *event)
{
    struct slice text = {(const char *)event->data.scalar.value, event->data.scalar.length};
    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (text.n == 0 || slice_is(text, "~") || slice_is(text, "null"));
}

static void take_scalar(struct reader *r, const struct config_row *row, const yaml_event_t *event)
{
    struct slice text = {(const char *)event->data.scalar.value, event->data.scalar.length};
    struct slice key = slice_of(row->key);
    bool wants_plain =
        row->type == CONFIG_INT || row->type == CONFIG_MS || row->type == CONFIG_SHARE || row->type == CONFIG_BOOL;
    bool quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (event->data.scalar.tag) {
        fault(r, line_of(event), key, "has a tag (\"!...\"), which is not read");
        return;
    }
    if (is_null(event)) {
        fault(r, line_of(event), key, "has no value (an empty text is \"\")");
        return;
    }
    struct buf value = BUF_INIT;
    struct buf what = BUF_INIT;
    bool expanded = false;
    bool good = config_expand(text, r->lookup, r->lookup_arg, &value, &expanded, &what);
    if (good && quoted && wants_plain && !expanded) {
        buf_append_str(&what, row->type == CONFIG_BOOL ? "is a text in quotes, not true or false"
                                                       : "is a text in quotes, not a number");
        good = false;
    }
    if (good)
        good = config_row_set(row, buf_slice(&value), r->into, &what);
    if (!good)
        fault(r, line_of(event), key, buf_cstr(&what));
    r->set[row - r->table->rows] = true;
    buf_free(&value);
    buf_free(&what);
}

static bool read_map(struct reader *r, struct slice prefix);

static bool take_value(struct reader *r, struct slice path, unsigned long key_line, const yaml_event_t *value)
{
    const struct config_row *row = row_at(r, path);
    bool section = !row && is_section(r, path);
    if (!row && !section) {
        fault(r, key_line, path, "is no setting");
        return skip_node(r, value);
    }
    if (is_doubled(r, path, key_line))
        return skip_node(r, value);
    if (section && value->type == YAML_MAPPING_START_EVENT)
        return read_map(r, path);
    if (row && value->type == YAML_SCALAR_EVENT) {
        take_scalar(r, row, value);
        return true;
    }
    if (section && value->type == YAML_SCALAR_EVENT && is_null(value))
        return true; /* a section whose keys are all commented out */

    const char *is = value->type == YAML_ALIAS_EVENT            ? "is an alias"
                     : value->type == YAML_SEQUENCE_START_EVENT ? "is a list"
                     : value->type == YAML_MAPPING_START_EVENT  ? "is a map"
                                                                : "is a value";
    struct buf what = BUF_INIT;
    buf_printf(&what, "%s, not %s", is, row ? "a value" : "a map of settings");
    fault(r, key_line, path, buf_cstr(&what));
    buf_free(&what);
    return skip_node(r, value);
}

/* One key with its value. */
static bool take_member(struct reader *r, struct slice prefix, const yaml_event_t *key)
{
    struct buf path = BUF_INIT;
    buf_append_slice(&path, prefix);
    if (prefix.n)
        buf_append_char(&path, '.');
    bool usable = key->type == YAML_SCALAR_EVENT;
    bool good = true;
    if (usable) {
        struct slice name = {(const char *)key->data.scalar.value, key->data.scalar.length};
        buf_append_slice(&path, name);
        if (name.n == 0 || memchr(name.p, '.', name.n) || memchr(name.p, '\0', name.n)) {
            fault(r, line_of(key), buf_slice(&path), "is no setting (a key is one word; nesting replaces dots)");
            usable = false;
        }
    } else {
        fault(r, line_of(key), prefix, "has a key that is no plain word");
        good = skip_node(r, key);
    }
    yaml_event_t value;
    if (good && next_event(r, &value)) {
        good = usable ? take_value(r, buf_slice(&path), line_of(key), &value) : skip_node(r, &value);
        yaml_event_delete(&value);
    } else {
        good = false;
    }
    buf_free(&path);
    return good;
}

/* The members of a map whose start was read, through its end. */
static bool read_map(struct reader *r, struct slice prefix)
{
    for (;;) {
        yaml_event_t event;
        if (!next_event(r, &event))
            return false;
        bool end = event.type == YAML_MAPPING_END_EVENT;
        bool good = end || take_member(r, prefix, &event);
        yaml_event_delete(&event);
        if (end || !good)
            return good;
    }
}

static void read_documents(struct reader *r)
{
    size_t documents = 0;
    for (bool more = true; more;) {
        yaml_event_t event;
        if (!next_event(r, &event))
            return;
        more = event.type != YAML_STREAM_END_EVENT;
        if (event.type == YAML_DOCUMENT_START_EVENT && ++documents > 1) {
            fault(r, line_of(&event), (struct slice){NULL, 0}, "a second YAML document, where only one is read");
            more = false;
        } else if (event.type == YAML_MAPPING_START_EVENT) {
            more = read_map(r, (struct slice){NULL, 0});
        } else if (event.type == YAML_SEQUENCE_START_EVENT || event.type == YAML_ALIAS_EVENT ||
                   (event.type == YAML_SCALAR_EVENT && !is_null(&event))) {
            fault(r, line_of(&event), (struct slice){NULL, 0}, "a map of settings must stand here");
            more = skip_node(r, &event);
        }
        yaml_event_delete(&event);
    }
}

static void set_defaults(struct reader *r)
{
    struct buf what = BUF_INIT;
    for (size_t i = 0; i < r->table->row_count; i++) {
        const struct config_row *row = &r->table->rows[i];
        if (r->set[i] || config_row_set(row, slice_of(row->default_text), r->into, &what))
            continue;
        r->faulty = true;
        buf_printf(r->faults, "%s: the built-in default %s\n", row->key, buf_cstr(&what));
        buf_clear(&what);
    }
    buf_free(&what);
}

bool config_parse(const struct config_table *table, struct slice yaml, const char *name, config_lookup *lookup,
                  void *lookup_arg, void *into, struct buf *faults)
{
    struct reader r = {.table = table,
                       .name = name,
                       .lookup = lookup,
                       .lookup_arg = lookup_arg,
                       .into = into,
                       .faults = faults,
                       .set = mem_calloc(table->row_count, sizeof(bool))};
    memset(into, 0, table->size);
    if (yaml.n > CONFIG_MAX_BYTES) {
        r.faulty = true;
        buf_printf(faults, "%s: is longer than %d bytes\n", name, CONFIG_MAX_BYTES);
    } else if (!yaml_parser_initialize(&r.parser)) {
        r.faulty = true;
        buf_printf(faults, "%s: no memory for the YAML reader\n", name);
    } else {
        yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&r.parser, (const unsigned char *)(yaml.p ? yaml.p : ""), yaml.n);
        read_documents(&r);
        yaml_parser_delete(&r.parser);
    }
    if (!r.faulty)
        set_defaults(&r);
    if (r.faulty)
        config_release(table, into);
    for (size_t i = 0; i < r.seen_count; i++)
        free(r.seen[i].path);
    free(r.seen);
    free(r.set);
    return !r.faulty;
}
