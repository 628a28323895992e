#include "cache/keys_page.h"

#include "base/json_write.h"

static const char page_head[] =
    "# Names in Redis\n"
    "\n"
    "Made by `nof0ctl keys --markdown` from `cache/keys.def` and `cache/feeds.def`; a test fails when it is stale.\n"
    "\n"
    "Postgres holds the truth. Every value here can be lost at any instant; the last column says what that costs.\n"
    "`nof0ctl keys --scan` holds a running Redis against this page.\n"
    "\n"
    "- In front of every name stands the setting `redis.prefix` (default `nof0`) and a `:`; an empty prefix leaves "
    "both "
    "out.\n"
    "- `{name}` is a parameter's place. In a parameter a `:`, a brace, `%`, `*`, `\"`, `\\`, a space, a control\n"
    "  character and every byte beyond ASCII stands as `%XX`; an empty parameter is `%`; the word `all` is `%61ll`, "
    "so\n"
    "  that a model of that name does not meet `analytics:all`. Two different parameters never give one key.\n"
    "- `{{name}}` stands for the parameter inside braces (`feed:{trades}:version`), which Redis Cluster takes as a "
    "hash\n"
    "  tag: what one script touches lies in one slot. The patterns without double braces have no tag, since other\n"
    "  programs know them as they are; where several of them must lie in one slot, a prefix with braces (`{nof0}`) "
    "puts\n"
    "  every key into one.\n"
    "- TTL classes are the settings `ttl.short_s`, `ttl.medium_s` and `ttl.long_s` (10, 60 and 300 s); 0 there is the\n"
    "  default, below 0 means that nothing of the class is kept. A product is rounded up to whole seconds.\n"
    "- Under memory pressure let Redis evict with `volatile-lru` or `volatile-ttl`: names without a TTL then stay.\n"
    "\n"
    "## Feeds\n"
    "\n"
    "| feed | TTL class |\n"
    "|---|---|\n";

static const char *const feed_classes[] = {
#define SHORT "short"
#define MEDIUM "medium"
#define LONG "long"
#define FEED(name, class_) class_,
#include "cache/feeds.def"
#undef FEED
#undef SHORT
#undef MEDIUM
#undef LONG
};

static const char *type_word(const struct cache_key_row *row)
{
    return row->type == CACHE_TYPE_CHANNEL ? "channel" : cache_type_name(row->type);
}

static void put_ttl(struct buf *out, const struct cache_key_row *row)
{
    if (row->ttl_class == CACHE_TTL_NONE) {
        buf_append_str(out, "none");
    } else if (row->ttl_class == CACHE_TTL_FIXED) {
        buf_printf(out, "%.0f s", row->ttl_factor);
    } else {
        buf_append_str(out, row->ttl_class == CACHE_TTL_FEED ? "the feed's" : cache_ttl_class_name(row->ttl_class));
        if (row->ttl_factor < 1 || row->ttl_factor > 1)
            buf_printf(out, " × %g", row->ttl_factor);
    }
}

/* '|' would end a cell. */
static void put_cell(struct buf *out, const char *text)
{
    buf_append_char(out, ' ');
    for (; *text; text++) {
        if (*text == '|')
            buf_append_char(out, '\\');
        buf_append_char(out, *text);
    }
    buf_append_str(out, " |");
}

void cache_keys_put_markdown(struct buf *out)
{
    buf_append_str(out, page_head);
    for (unsigned i = 0; i < CACHE_FEED_COUNT; i++)
        buf_printf(out, "| %s | %s |\n", cache_feed_name((enum cache_feed)i), feed_classes[i]);
    buf_append_str(out, "\n## Names\n\n"
                        "| name | type | value | TTL | source of truth | written by | made old by | when lost |\n"
                        "|---|---|---|---|---|---|---|---|\n");
    for (unsigned i = 0; i < CACHE_KEY_COUNT; i++) {
        const struct cache_key_row *row = &cache_key_rows[i];
        buf_printf(out, "| `%s` | %s |", row->pattern, type_word(row));
        put_cell(out, row->value);
        buf_append_char(out, ' ');
        put_ttl(out, row);
        buf_append_str(out, " |");
        put_cell(out, row->source);
        put_cell(out, row->writer);
        put_cell(out, row->invalidated);
        put_cell(out, row->eviction);
        buf_append_char(out, '\n');
    }
}

/* Of a row whose TTL is the same for all its keys: cache_key_ttl_ms knows it by the row alone. */
static int64_t row_ttl_s(const struct cache_space *space, enum cache_key_id id)
{
    struct cache_key key = {.private_id = (uint8_t)id, .private_feed = CACHE_FEED_COUNT};
    int64_t ms = cache_key_ttl_ms(space, &key);
    return ms > 0 ? ms / 1000 : ms;
}

static void put_space_ttl(struct buf *out, const struct cache_space *space, enum cache_key_id id)
{
    const struct cache_key_row *row = &cache_key_rows[id];
    if (row->ttl_class == CACHE_TTL_FEED) {
        put_ttl(out, row);
        return;
    }
    int64_t seconds = row_ttl_s(space, id);
    if (seconds > 0)
        buf_printf(out, "%lld s", (long long)seconds);
    else
        buf_append_str(out, seconds == 0 ? "none" : "disabled");
}

void cache_keys_put_table(struct buf *out, const struct cache_space *space)
{
    buf_printf(out, "%-44s %-8s %-15s %s\n", "NAME", "TYPE", "TTL", "VALUE");
    for (unsigned i = 0; i < CACHE_KEY_COUNT; i++) {
        const struct cache_key_row *row = &cache_key_rows[i];
        size_t start = out->len;
        buf_printf(out, "%s%s%s", space->prefix, space->prefix_length ? ":" : "", row->pattern);
        int width = out->len - start < 44 ? (int)(44 - (out->len - start)) : 0;
        buf_printf(out, "%*s %-8s ", width, "", type_word(row));
        start = out->len;
        put_space_ttl(out, space, (enum cache_key_id)i);
        width = out->len - start < 15 ? (int)(15 - (out->len - start)) : 0;
        if (memchr(out->data + start, '\xc3', out->len - start))
            width++; /* the sign of multiplication has two bytes */
        buf_printf(out, "%*s %s\n", width, "", row->value);
    }
}

static void put_member(struct json_writer *w, const char *key, const char *value)
{
    json_key(w, slice_of(key));
    json_string(w, slice_of(value));
}

static void put_row(struct json_writer *w, const struct cache_space *space, enum cache_key_id id)
{
    const struct cache_key_row *row = &cache_key_rows[id];
    json_begin_object(w);
    put_member(w, "name", row->name);
    put_member(w, "pattern", row->pattern);
    put_member(w, "type", type_word(row));
    json_key(w, SLICE("parameters"));
    json_begin_array(w);
    for (unsigned i = 0; i < row->param_count; i++)
        json_string(w, slice_of(row->param_names[i]));
    json_end_array(w);
    put_member(w, "ttl_class", cache_ttl_class_name(row->ttl_class));
    json_key(w, SLICE("ttl_factor"));
    json_double(w, row->ttl_factor);
    json_key(w, SLICE("ttl_seconds"));
    if (row->ttl_class == CACHE_TTL_FEED)
        json_null(w);
    else
        json_i64(w, row_ttl_s(space, id));
    put_member(w, "value", row->value);
    put_member(w, "source", row->source);
    put_member(w, "writer", row->writer);
    put_member(w, "invalidated", row->invalidated);
    put_member(w, "eviction", row->eviction);
    json_end_object(w);
}

void cache_keys_put_json(struct buf *out, const struct cache_space *space)
{
    struct json_writer w = json_writer_on(out);
    json_begin_object(&w);
    put_member(&w, "prefix", space->prefix);
    json_key(&w, SLICE("keys"));
    json_begin_array(&w);
    for (unsigned i = 0; i < CACHE_KEY_COUNT; i++)
        put_row(&w, space, (enum cache_key_id)i);
    json_end_array(&w);
    json_end_object(&w);
    buf_append_char(out, '\n');
}
