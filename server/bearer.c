#include "server/bearer.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <strings.h>

/* Compares digests, so that the time tells nothing of the token, its length included. */
static bool same_secret(struct slice a, struct slice b)
{
    unsigned char left[SHA256_DIGEST_LENGTH];
    unsigned char right[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)(a.p ? a.p : ""), a.n, left);
    SHA256((const unsigned char *)(b.p ? b.p : ""), b.n, right);
    return CRYPTO_memcmp(left, right, sizeof left) == 0;
}

bool bearer_is(const struct http_request *request, const char *token)
{
    static const char scheme[] = "Bearer ";
    struct slice given = http_request_header(request, "Authorization");
    bool has_scheme = given.n > sizeof scheme - 1 && strncasecmp(given.p, scheme, sizeof scheme - 1) == 0;
    struct slice told = {has_scheme ? given.p + sizeof scheme - 1 : "", has_scheme ? given.n - (sizeof scheme - 1) : 0};
    return same_secret(told, slice_of(token)) && has_scheme;
}
