/* cmocka together with the headers that it needs first, in the order that it needs. */
#ifndef NOF0_BASE_TESTING_H
#define NOF0_BASE_TESTING_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
/* clang-format on */

/* Both leave the test by longjmp, which their own header does not tell the static analyser. */
void _fail(const char *const file, const int line) __attribute__((noreturn));
void _skip(const char *const file, const int line) __attribute__((noreturn));

#endif
