/* Says in the log which legacy files became bad and which became good again. */
#ifndef NOF0_SERVER_LEGACY_FAULTS_H
#define NOF0_SERVER_LEGACY_FAULTS_H

#include "legacy/legacy.h"

/* One line for each file whose fault is another one than `before`; NULL: nothing was loaded before. */
void legacy_faults_log(const struct legacy_set *now, const struct legacy_set *before);

#endif
