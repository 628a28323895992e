/* The schemas' content is held against the server in tests/blackbox/test_ingest_schemas.py; this is about the files. */
#include "base/json_read.h"
#include "base/testing.h"
#include "ingest/event_schema.h"

#include <stdio.h>
#include <stdlib.h>

static void the_files_are_what_is_made(void **state)
{
    (void)state;
    for (enum event_kind kind = 0; kind < EVENT_KIND_COUNT; kind++) {
        const char *name = event_kind_name(kind);
        struct buf made = BUF_INIT;
        struct buf there = BUF_INIT;
        char path[100];
        char piece[4096];
        event_schema_put(&made, kind);
        assert_true(json_check(buf_slice(&made), NULL, NULL));
        (void)snprintf(path, sizeof path, "docs/schemas/%s.json", name);
        FILE *in = fopen(path, "re");
        if (!in)
            fail_msg("%s is missing: nof0ctl ingest --schema %s > %s", path, name, path);
        for (size_t n; (n = fread(piece, 1, sizeof piece, in)) > 0;)
            buf_append(&there, piece, n);
        (void)fclose(in);
        if (!slice_equal(buf_slice(&made), buf_slice(&there)))
            fail_msg("%s is stale: nof0ctl ingest --schema %s > %s", path, name, path);
        buf_free(&made);
        buf_free(&there);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_files_are_what_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
