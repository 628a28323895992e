/* What `nof0ctl flags` is asked for. */
#ifndef NOF0_CLI_FLAGS_ARGUMENTS_H
#define NOF0_CLI_FLAGS_ARGUMENTS_H

#include "flags/store.h"

enum flags_action { FLAGS_LIST, FLAGS_GET, FLAGS_SET, FLAGS_UNSET, FLAGS_HISTORY, FLAGS_WATCH, FLAGS_ACTION_COUNT };

enum { FLAGS_AFTER_NOW = -1 };

struct flags_arguments {
    enum flags_action action;
    enum flag flag;          /* FLAG_COUNT: none is named */
    struct flag_value value; /* of FLAGS_SET */
    const char *reason;      /* of FLAGS_SET and FLAGS_UNSET */
    const char *actor;       /* NULL: whoever runs the program */
    int64_t if_version;      /* FLAG_VERSION_ANY */
    int64_t limit;           /* of FLAGS_HISTORY */
    int64_t after;           /* of FLAGS_WATCH: the last id that is known; FLAGS_AFTER_NOW */
    bool force;
    bool json;
};

/* argv[0] is "flags". ERR_INVALID says what is wrong, and what there is to choose from. Texts point into argv. */
bool flags_arguments_parse(int argc, char **argv, struct flags_arguments *arguments, struct err *err) MUST_CHECK;

#endif
