/* JSON out. Appends to a buf; the caller keeps the order, the writer keeps the commas. Text goes out as UTF-8 as it is;
 * only what RFC 8259 demands is escaped. Numbers are exact (base/num.h). */
#ifndef NOF0_BASE_JSON_WRITE_H
#define NOF0_BASE_JSON_WRITE_H

#include "base/buf.h"

#include <stdint.h>

struct cJSON;

/* Single values, without any comma handling. */
void json_put_string(struct buf *out, struct slice text);
/* `value` must be finite. Shortest exact form; beyond +-2^53 always with an exponent ("1e+20"), since json_check takes
 * no plain integer of that size. */
void json_put_double(struct buf *out, double value);
void json_put_i64(struct buf *out, int64_t value);
void json_put_bool(struct buf *out, bool value);
void json_put_null(struct buf *out);
/* A well-formed JSON text without the blanks between its tokens. */
void json_put_compact(struct buf *out, struct slice json);
/* A parsed value written back compactly in its own order, numbers in their shortest exact form. */
void json_put_cjson(struct buf *out, const struct cJSON *value);

/* A writer over a buf: it puts the comma where one is due. Open and close nest freely. */
struct json_writer {
    struct buf *out;
    bool comma; /* a comma is due before the next member or element */
};

static inline struct json_writer json_writer_on(struct buf *out)
{
    return (struct json_writer){out, false};
}

void json_begin_object(struct json_writer *w);
void json_end_object(struct json_writer *w);
void json_begin_array(struct json_writer *w);
void json_end_array(struct json_writer *w);
void json_key(struct json_writer *w, struct slice key); /* escapes the key */
void json_string(struct json_writer *w, struct slice text);
void json_double(struct json_writer *w, double value);
void json_i64(struct json_writer *w, int64_t value);
void json_bool(struct json_writer *w, bool value);
void json_null(struct json_writer *w);
void json_raw(struct json_writer *w, struct slice json);     /* already JSON, goes out as it is */
void json_compact(struct json_writer *w, struct slice json); /* already JSON, loses its blanks */

#endif
