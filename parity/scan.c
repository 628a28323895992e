#include "parity/scan.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Braces and brackets differ in this bit alone. */
enum { BRACE_BIT = 0x20, COMPARE_CHUNK = 4096 };

/* -- Blocks ------------------------------------------------------------------------------------------------------- */

static const uint64_t ones = 0x0101010101010101;
static const uint64_t sevens = 0x7F7F7F7F7F7F7F7F;

/* Bit i is set when byte i of the word is `byte`. */
static uint64_t bytes_equal(uint64_t word, unsigned char byte)
{
    const uint64_t gather = 0x0002040810204081; /* brings the top bits of eight bytes together in the top byte */
    uint64_t x = word ^ (ones * byte);
    uint64_t zero = ~(((x & sevens) + sevens) | x | sevens);
    return (zero * gather) >> 56;
}

void parity_scan_masks_portable(const char bytes[PARITY_SCAN_BLOCK], struct parity_masks *masks)
{
    *masks = (struct parity_masks){0};
    for (unsigned at = 0; at < PARITY_SCAN_BLOCK; at += 8) {
        uint64_t word = 0;
        for (unsigned i = 0; i < 8; i++)
            word |= (uint64_t)(unsigned char)bytes[at + i] << (8 * i);
        masks->quotes |= bytes_equal(word, '"') << at;
        masks->backslashes |= bytes_equal(word, '\\') << at;
        masks->commas |= bytes_equal(word, ',') << at;
        masks->opens |= bytes_equal(word | ones * BRACE_BIT, '{') << at;
        masks->closes |= bytes_equal(word | ones * BRACE_BIT, '}') << at;
    }
}

#ifdef __SSE2__
static uint64_t vector_equal(__m128i vector, char byte)
{
    return (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(vector, _mm_set1_epi8(byte)));
}

void parity_scan_masks(const char bytes[PARITY_SCAN_BLOCK], struct parity_masks *masks)
{
    struct parity_masks sum = {0};
    for (unsigned at = 0; at < PARITY_SCAN_BLOCK; at += 16) {
        __m128i vector = _mm_loadu_si128((const __m128i *)(const void *)(bytes + at));
        __m128i braces = _mm_or_si128(vector, _mm_set1_epi8(BRACE_BIT));
        sum.quotes |= vector_equal(vector, '"') << at;
        sum.backslashes |= vector_equal(vector, '\\') << at;
        sum.commas |= vector_equal(vector, ',') << at;
        sum.opens |= vector_equal(braces, '{') << at;
        sum.closes |= vector_equal(braces, '}') << at;
    }
    *masks = sum;
}
#else
void parity_scan_masks(const char bytes[PARITY_SCAN_BLOCK], struct parity_masks *masks)
{
    parity_scan_masks_portable(bytes, masks);
}
#endif

/* What goes on from block to block. */
struct blocks {
    uint64_t first_escaped; /* 1: the next block's first byte follows a backslash that escapes it */
    uint64_t in_string;     /* all bits: the next block begins inside a string */
};

/* The bytes that a backslash before them escapes. A run of backslashes escapes what follows it when its length is odd;
 * adding a run's first bit to the run carries to the bit behind it, whose place, even or odd, then says which. */
static uint64_t escaped_bytes(struct blocks *blocks, uint64_t backslashes)
{
    const uint64_t even = 0x5555555555555555;
    if (!backslashes) {
        uint64_t escaped = blocks->first_escaped;
        blocks->first_escaped = 0;
        return escaped;
    }
    backslashes &= ~blocks->first_escaped;
    uint64_t follows = backslashes << 1 | blocks->first_escaped;
    uint64_t odd_starts = backslashes & ~even & ~follows;
    uint64_t carried = odd_starts + backslashes;
    blocks->first_escaped = carried < backslashes;
    return (even ^ carried << 1) & follows;
}

/* Bit i: whether an odd number of the bits up to i are set. */
static uint64_t parity_up_to(uint64_t bits)
{
    for (unsigned shift = 1; shift < PARITY_SCAN_BLOCK; shift *= 2)
        bits ^= bits << shift;
    return bits;
}

/* The block at p with commas and brackets outside strings alone; what lies at `end` and behind it is nothing. */
static void next_block(struct blocks *blocks, const char *p, const char *end, struct parity_masks *masks)
{
    if (end - p < PARITY_SCAN_BLOCK) {
        char padded[PARITY_SCAN_BLOCK] = {0};
        memcpy(padded, p, (size_t)(end - p));
        parity_scan_masks(padded, masks);
    } else {
        parity_scan_masks(p, masks);
    }
    uint64_t quotes = masks->quotes & ~escaped_bytes(blocks, masks->backslashes);
    uint64_t in_string = parity_up_to(quotes) ^ blocks->in_string;
    blocks->in_string = in_string >> 63 ? UINT64_MAX : 0;
    masks->commas &= ~in_string;
    masks->opens &= ~in_string;
    masks->closes &= ~in_string;
}

/* -- Over values -------------------------------------------------------------------------------------------------- */

/* p is on the opening bracket. */
static const char *scan_container(const char *p, const char *end)
{
    struct blocks blocks = {0};
    long depth = 0;
    size_t length = (size_t)(end - p);
    for (size_t at = 0; at < length; at += PARITY_SCAN_BLOCK) {
        struct parity_masks masks;
        next_block(&blocks, p + at, end, &masks);
        for (uint64_t brackets = masks.opens | masks.closes; brackets; brackets &= brackets - 1) {
            uint64_t bit = brackets & (0 - brackets);
            depth += bit & masks.opens ? 1 : -1;
            if (depth == 0)
                return p + at + __builtin_ctzll(bit) + 1;
        }
    }
    return NULL;
}

const char *parity_scan_value(const char *p, const char *end)
{
    if (p == end)
        return NULL;
    if (*p == '"')
        return json_skip_string(p, end);
    if (*p == '{' || *p == '[')
        return scan_container(p, end);
    const char *start = p;
    while (p < end && *p != ',' && *p != ']' && *p != '}' && *p != ' ' && *p != '\n' && *p != '\r' && *p != '\t')
        p++;
    return p > start ? p : NULL;
}

/* Behind a member's colon and the blanks around it, with its key; NULL when there is none. */
static const char *scan_key(const char *p, const char *end, struct slice *key)
{
    if (p == end || *p != '"')
        return NULL;
    const char *behind = json_skip_string(p, end);
    if (!behind)
        return NULL;
    *key = (struct slice){p + 1, (size_t)(behind - p) - 2};
    p = json_skip_space(behind, end);
    return p < end && *p == ':' ? json_skip_space(p + 1, end) : NULL;
}

const char *parity_scan_members(const char *p, const char *end, parity_member_fn *on_member, void *arg)
{
    p = json_skip_space(p, end);
    if (p < end && *p == '}')
        return p + 1;
    for (;;) {
        struct slice key;
        const char *value = scan_key(p, end, &key);
        p = value ? parity_scan_value(value, end) : NULL;
        if (!p || !on_member(arg, key, (struct slice){value, (size_t)(p - value)}))
            return NULL;
        p = json_skip_space(p, end);
        if (p == end || *p != ',')
            return p < end && *p == '}' ? p + 1 : NULL;
        p = json_skip_space(p + 1, end);
    }
}

const char *parity_scan_elements(const char *p, const char *end, parity_element_fn *on_element, void *arg)
{
    p = json_skip_space(p, end);
    if (p < end && *p == ']')
        return p + 1;
    for (;;) {
        const char *element = p;
        p = parity_scan_value(element, end);
        if (!p || !on_element(arg, (struct slice){element, (size_t)(p - element)}))
            return NULL;
        p = json_skip_space(p, end);
        if (p == end || *p != ',')
            return p < end && *p == ']' ? p + 1 : NULL;
        p = json_skip_space(p + 1, end);
    }
}

/* -- Over what is equal ------------------------------------------------------------------------------------------- */

static size_t equal_words(const char *a, const char *b, size_t n)
{
    size_t i = 0;
    for (; i + sizeof(uint64_t) <= n; i += sizeof(uint64_t)) {
        uint64_t x;
        uint64_t y;
        memcpy(&x, a + i, sizeof x);
        memcpy(&y, b + i, sizeof y);
        if (x != y)
            break;
    }
    while (i < n && a[i] == b[i])
        i++;
    return i;
}

size_t parity_scan_equal(const char *a, const char *b, size_t n)
{
    enum { FIRST = 128 }; /* most runs are short */
    size_t i = equal_words(a, b, n < FIRST ? n : FIRST);
    if (i < FIRST)
        return i;
    while (n - i >= COMPARE_CHUNK && memcmp(a + i, b + i, COMPARE_CHUNK) == 0)
        i += COMPARE_CHUNK;
    return i + equal_words(a + i, b + i, n - i);
}

static void count_commas(struct parity_level *level, const char *block, uint64_t commas)
{
    if (!commas)
        return;
    level->count += (size_t)__builtin_popcountll(commas);
    level->last = block + (PARITY_SCAN_BLOCK - __builtin_clzll(commas));
}

/* One block's commas and brackets. Behind the end of the outermost container; else NULL, with *full when it is nested
 * deeper than there are levels. */
static const char *count_block(const char *block, struct parity_masks *masks, struct parity_levels *levels, bool *full)
{
    uint64_t commas = masks->commas;
    for (uint64_t brackets = masks->opens | masks->closes; brackets; brackets &= brackets - 1) {
        uint64_t bit = brackets & (0 - brackets);
        count_commas(&levels->level[levels->used - 1], block, commas & (bit - 1));
        commas &= ~(bit - 1);
        const char *bracket = block + __builtin_ctzll(bit);
        if (bit & masks->closes) {
            if (--levels->used == 0)
                return bracket + 1;
        } else {
            if (levels->used == JSON_MAX_DEPTH + 1) {
                *full = true;
                return NULL;
            }
            levels->level[levels->used++] = (struct parity_level){bracket, bracket + 1, 0};
        }
    }
    count_commas(&levels->level[levels->used - 1], block, commas);
    return NULL;
}

const char *parity_scan_siblings(const char *p, const char *limit, struct parity_levels *levels)
{
    struct blocks blocks = {0};
    bool full = false;
    levels->used = 1;
    levels->level[0] = (struct parity_level){p, p, 0};
    size_t length = (size_t)(limit - p);
    for (size_t at = 0; at < length && !full; at += PARITY_SCAN_BLOCK) {
        struct parity_masks masks;
        next_block(&blocks, p + at, limit, &masks);
        const char *behind = count_block(p + at, &masks, levels, &full);
        if (behind)
            return behind;
    }
    return NULL;
}
