/* What the program was built from and runs with. */
#ifndef NOF0_SERVER_BUILD_INFO_H
#define NOF0_SERVER_BUILD_INFO_H

#include <stddef.h>

const char *build_version(void);
const char *build_commit(void);   /* 12 hexadecimal digits, or "" when it was not known */
const char *build_compiler(void); /* "gcc 12.2.0" */

enum { BUILD_LIBRARIES_MAX = 8, BUILD_LIBRARY_VERSION_SIZE = 32 };

struct build_library {
    const char *name;
    char version[BUILD_LIBRARY_VERSION_SIZE];
};

/* The versions of the libraries that are loaded, not of the headers. Returns how many. */
size_t build_libraries(struct build_library out[BUILD_LIBRARIES_MAX]);

#endif
