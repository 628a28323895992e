#include "server/build_info.h"

#include "nof0_commit.h"

#include <cjson/cJSON.h>
#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <xxhash.h>
#include <yaml.h>
#include <zlib.h>

#define TEXT(x) #x
#define TEXT_OF(x) TEXT(x) /* of what a macro stands for */

const char *build_version(void)
{
    return NOF0_VERSION;
}

const char *build_commit(void)
{
    return NOF0_COMMIT;
}

const char *build_compiler(void)
{
#ifdef __clang__
    return "clang " TEXT_OF(__clang_major__) "." TEXT_OF(__clang_minor__) "." TEXT_OF(__clang_patchlevel__);
#else
    return "gcc " TEXT_OF(__GNUC__) "." TEXT_OF(__GNUC_MINOR__) "." TEXT_OF(__GNUC_PATCHLEVEL__);
#endif
}

static void fill(struct build_library *library, const char *name, const char *version)
{
    library->name = name;
    (void)snprintf(library->version, sizeof library->version, "%s", version);
}

size_t build_libraries(struct build_library out[BUILD_LIBRARIES_MAX])
{
    size_t n = 0;
    fill(&out[n++], "cjson", cJSON_Version());
    /* hiredis alone cannot be asked; Debian's headers and library are of one version. */
    fill(&out[n++], "hiredis", TEXT_OF(HIREDIS_MAJOR) "." TEXT_OF(HIREDIS_MINOR) "." TEXT_OF(HIREDIS_PATCH));
    fill(&out[n++], "libevent", event_get_version());
    fill(&out[n++], "libyaml", yaml_get_version_string());
    fill(&out[n++], "zlib", zlibVersion());

    struct build_library *pq = &out[n++];
    int number = PQlibVersion(); /* 150020 is 15.20 */
    pq->name = "libpq";
    (void)snprintf(pq->version, sizeof pq->version, "%d.%d", number / 10000, number % 10000);

    struct build_library *xxhash = &out[n++];
    unsigned x = XXH_versionNumber(); /* 801 is 0.8.1 */
    xxhash->name = "xxhash";
    (void)snprintf(xxhash->version, sizeof xxhash->version, "%u.%u.%u", x / 10000, x / 100 % 100, x % 100);
    return n;
}
