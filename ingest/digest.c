#include "ingest/digest.h"

#include <openssl/sha.h>

struct slice digest_hex(struct arena *arena, struct slice bytes)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)(bytes.p ? bytes.p : ""), bytes.n, digest);
    size_t length = sizeof digest * 2;
    char *text = arena_alloc(arena, length + 1);
    for (size_t i = 0; i < sizeof digest; i++) {
        text[2 * i] = digits[digest[i] >> 4];
        text[2 * i + 1] = digits[digest[i] & 15];
    }
    text[length] = '\0';
    return (struct slice){text, length};
}
