/* Hexadecimal digits. */
#ifndef NOF0_BASE_HEX_H
#define NOF0_BASE_HEX_H

/* The value of a digit in either case, 0 to 15; -1 when it is none. */
static inline int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The value of the four digits at p, 0 to 65535; -1 when they are not there before `end`. */
static inline int hex_value4(const char *p, const char *end)
{
    if (end - p < 4)
        return -1;
    int value = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(p[i]);
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

#endif
