#include "platform.h"
#include <string.h>

// An encoder of LZ4 blocks (lz4_Block_format.md of github.com/lz4/lz4) for shuffled rows. Where a general search
// follows chains of earlier places, this one looks at two: the last place with the same four bytes, and the one
// `stride` bytes before, which is the same number of the row or column before. Greedy, but a longer match at the next
// byte wins. Any LZ4 decoder reads the result.

enum { LAST_LITERALS = 5, MATCH_MARGIN = 12, LEAST_MATCH = 4, FARTHEST = 65535, LONG_ENOUGH = 64 };

static inline uint32_t four(const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, 4);
  return v;
}

static inline size_t place(uint32_t v) { return v * 2654435761u >> (32 - TP_LZ4_BITS); }

// How many bytes from `a` on are those from `b` on; b lies behind a and ends at `end`.
static inline size_t same(const uint8_t *a, const uint8_t *b, const uint8_t *end) {
  const uint8_t *start = b;
  for (; b + 8 <= end; a += 8, b += 8) {
    uint64_t x, y;
    memcpy(&x, a, 8);
    memcpy(&y, b, 8);
    if (x != y) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
      return (size_t)(b - start) + (size_t)(__builtin_ctzll(x ^ y) >> 3);
#else
      return (size_t)(b - start) + (size_t)(__builtin_clzll(x ^ y) >> 3);
#endif
    }
  }
  while (b < end && *a == *b) a++, b++;
  return (size_t)(b - start);
}

typedef struct {
  const uint8_t *source;
  size_t length;
} found;

// The longer match at `at`, which takes its place in the table. Length 0 where there is none.
static inline found look(const uint8_t *in, const uint8_t *at, const uint8_t *end, size_t stride,
                         uint32_t *table) {
  uint32_t v = four(at);
  size_t slot = place(v), position = (size_t)(at - in);
  const uint8_t *last = in + table[slot];
  table[slot] = (uint32_t)position;
  found best = {at, 0};
  if (last < at && at - last <= FARTHEST && four(last) == v)
    best = (found){last, LEAST_MATCH + same(last + LEAST_MATCH, at + LEAST_MATCH, end)};
  if (stride && stride <= position && four(at - stride) == v) {
    size_t length = LEAST_MATCH + same(at - stride + LEAST_MATCH, at + LEAST_MATCH, end);
    if (length > best.length) best = (found){at - stride, length};
  }
  return best;
}

// A length beyond the 15 of a token's half.
static inline uint8_t *extend(uint8_t *out, size_t length) {
  for (; length >= 255; length -= 255) *out++ = 255;
  *out++ = (uint8_t)length;
  return out;
}

static uint8_t *literals(uint8_t *out, const uint8_t *from, size_t count) {
  *out++ = (uint8_t)((count < 15 ? count : 15) << 4);
  if (count >= 15) out = extend(out, count - 15);
  if (count) memcpy(out, from, count);
  return out + count;
}

// The most bytes of a sequence: its token, its literals and their length, an offset, the length of its match.
static inline size_t most(size_t literals, size_t match) {
  return 1 + literals + literals / 255 + 1 + 2 + match / 255 + 1;
}

size_t tp_lz4_stride(const void *source, size_t count, void *destination, size_t room, size_t stride,
                     size_t trial, uint32_t table[1 << TP_LZ4_BITS]) {
  const uint8_t *in = source, *end = in + count, *anchor = in;
  uint8_t *out = destination, *full = out + room;
  if (count <= MATCH_MARGIN || count > TP_LZ4_LONGEST) return 0;
  if (stride > FARTHEST) stride = 0;
  memset(table, 0, sizeof(uint32_t) << TP_LZ4_BITS);
  const uint8_t *limit = end - MATCH_MARGIN, *reach = end - LAST_LITERALS, *judged = in + trial;
  // Bytes are stepped over in noise: one more after every 64 that were looked at in vain.
  size_t vain = 64;
  for (const uint8_t *at = in + 1; at < limit;) {
    if (trial && at >= judged) {
      // What has come so far must be shorter by a sixteenth.
      size_t written = (size_t)(out - (uint8_t *)destination) + (size_t)(at - anchor);
      if (written > (size_t)(at - in) - (size_t)(at - in) / 16) return 0;
      trial = 0;
    }
    found match = look(in, at, reach, stride, table);
    if (!match.length) {
      at += vain++ >> 6;
      continue;
    }
    vain = 64;
    while (match.length < LONG_ENOUGH && at + 1 < limit) {
      found next = look(in, at + 1, reach, stride, table);
      if (next.length <= match.length) break;
      match = next;
      at++;
    }
    while (at > anchor && match.source > in && at[-1] == match.source[-1])
      at--, match.source--, match.length++;
    size_t plain = (size_t)(at - anchor), offset = (size_t)(at - match.source);
    if (most(plain, match.length) > (size_t)(full - out)) return 0;
    uint8_t *token = out;
    out = literals(out, anchor, plain);
    *out++ = (uint8_t)offset;
    *out++ = (uint8_t)(offset >> 8);
    size_t length = match.length - LEAST_MATCH;
    *token |= (uint8_t)(length < 15 ? length : 15);
    if (length >= 15) out = extend(out, length - 15);
    at += match.length;
    anchor = at;
    if (at < limit) table[place(four(at - 2))] = (uint32_t)(at - 2 - in);
  }
  size_t rest = (size_t)(end - anchor);
  if (most(rest, 0) > (size_t)(full - out)) return 0;
  return (size_t)(literals(out, anchor, rest) - (uint8_t *)destination);
}
