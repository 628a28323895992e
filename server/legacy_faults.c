#include "server/legacy_faults.h"

#include "base/log.h"

#include <string.h>

void legacy_faults_log(const struct legacy_set *now, const struct legacy_set *before)
{
    size_t count = 0;
    size_t old_count = 0;
    const struct legacy_file_state *files = legacy_set_files(now, &count);
    const struct legacy_file_state *old = before ? legacy_set_files(before, &old_count) : NULL;
    for (size_t i = 0, j = 0; i < count; i++) { /* both in the order of their names */
        while (j < old_count && strcmp(old[j].name, files[i].name) < 0)
            j++;
        bool known = j < old_count && strcmp(old[j].name, files[i].name) == 0;
        const char *old_fault = known ? old[j].fault : "";
        if (strcmp(old_fault, files[i].fault) == 0)
            continue;
        if (files[i].fault[0])
            log_event(LOG_WARN, "legacy.file_bad",
                      LOG_FIELDS(log_str("file", files[i].name), log_bool("served", files[i].state == LEGACY_STALE),
                                 log_str("error", files[i].fault)));
        else
            log_event(LOG_INFO, "legacy.file_good", LOG_FIELDS(log_str("file", files[i].name)));
    }
}
