/* The two clocks. Wall time is for what people and documents see; monotonic time is for measuring and deadlines. */
#ifndef NOF0_BASE_CLOCK_H
#define NOF0_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Milliseconds since 1970-01-01T00:00:00Z. */
int64_t clock_wall_ms(void);
/* Milliseconds, microseconds since some fixed instant of this boot; never goes back. */
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);

enum { CLOCK_ISO_SIZE = 32, CLOCK_HTTP_DATE_SIZE = 30 };

/* "2025-10-26T04:19:12.829Z" for milliseconds since the epoch; years 0000 to 9999. Returns out. */
char *clock_format_iso(char out[CLOCK_ISO_SIZE], int64_t wall_ms);
/* "Sun, 26 Oct 2025 04:19:12 GMT", the IMF-fixdate of RFC 9110 section 5.6.7. Returns out. */
char *clock_format_http(char out[CLOCK_HTTP_DATE_SIZE], int64_t wall_ms);

#endif
