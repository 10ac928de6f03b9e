#include "platform.h"
#include <string.h>

// One table for processors without the instruction, made at load time from the polynomial.
static uint32_t tp_crc_table[256];

__attribute__((constructor)) static void tp_crc_table_make(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t c = i;
    for (int k = 0; k < 8; k++) c = (c & 1) ? (c >> 1) ^ 0x82F63B78u : c >> 1;
    tp_crc_table[i] = c;
  }
}

static uint32_t tp_crc_portable(uint32_t c, const uint8_t *p, size_t n) {
  while (n--) c = tp_crc_table[(c ^ *p++) & 0xFF] ^ (c >> 8);
  return c;
}

// A CRC as a polynomial over two elements, its highest power in bit 0: the product modulo Castagnoli's.
static uint32_t tp_crc_product(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (uint32_t bit = 1u << 31; bit; bit >>= 1) {
    if (a & bit) product ^= b;
    b = (b & 1) ? (b >> 1) ^ 0x82F63B78u : b >> 1;
  }
  return product;
}

// x to the power of `exponent`, modulo the polynomial.
static uint32_t tp_crc_power(size_t exponent) {
  uint32_t power = 1u << 31, square = 1u << 30;
  for (; exponent; exponent >>= 1) {
    if (exponent & 1) power = tp_crc_product(power, square);
    square = tp_crc_product(square, square);
  }
  return power;
}

#if defined(__x86_64__)
#include <immintrin.h>

// crc of a followed by z zero bytes is linear in crc(a): three lanes run in parallel over blocks of
// TP_LANE bytes and are joined by a table of that linear map, one row for each byte of the crc.
#define TP_LANE 1024
static uint32_t tp_shift[4][256];
static int tp_has_sse42;

__attribute__((constructor(200))) static void tp_crc_lanes_make(void) {
  tp_has_sse42 = __builtin_cpu_supports("sse4.2");
  uint32_t basis[32];
  for (int b = 0; b < 32; b++) {
    uint32_t c = 1u << b;
    for (size_t i = 0; i < TP_LANE; i++) {
      for (int k = 0; k < 8; k++) c = (c & 1) ? (c >> 1) ^ 0x82F63B78u : c >> 1;
    }
    basis[b] = c;
  }
  for (int row = 0; row < 4; row++)
    for (uint32_t v = 0; v < 256; v++) {
      uint32_t c = 0;
      for (int k = 0; k < 8; k++)
        if (v >> k & 1) c ^= basis[row * 8 + k];
      tp_shift[row][v] = c;
    }
}

static inline uint32_t tp_skip(uint32_t c) {
  return tp_shift[0][c & 0xFF] ^ tp_shift[1][c >> 8 & 0xFF] ^ tp_shift[2][c >> 16 & 0xFF] ^
         tp_shift[3][c >> 24];
}

__attribute__((target("sse4.2"))) static uint32_t tp_crc_sse42(uint32_t crc, const uint8_t *p,
                                                                size_t n) {
  uint64_t c = crc;
  while (n >= 3 * TP_LANE) {
    uint64_t a = c, b = 0, d = 0;
    for (size_t i = 0; i < TP_LANE; i += 8) {
      uint64_t x, y, z;
      memcpy(&x, p + i, 8);
      memcpy(&y, p + TP_LANE + i, 8);
      memcpy(&z, p + 2 * TP_LANE + i, 8);
      a = _mm_crc32_u64(a, x);
      b = _mm_crc32_u64(b, y);
      d = _mm_crc32_u64(d, z);
    }
    c = tp_skip(tp_skip((uint32_t)a) ^ (uint32_t)b) ^ (uint32_t)d;
    p += 3 * TP_LANE;
    n -= 3 * TP_LANE;
  }
  while (n >= 8) {
    uint64_t x;
    memcpy(&x, p, 8);
    c = _mm_crc32_u64(c, x);
    p += 8;
    n -= 8;
  }
  while (n--) c = _mm_crc32_u8((uint32_t)c, *p++);
  return (uint32_t)c;
}

// Folding by carry-less products (Gopal and others, "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ
// Instruction", Intel 2009), four registers of 64 bytes at a time. A 128-bit block that stands D bits further to the
// front of a message is worth its low half times x^(D+32) and its high half times x^(D-32), modulo the polynomial.
#define TP_WIDE __attribute__((target("sse4.2,avx512f,avx512vl,avx512dq,pclmul,vpclmulqdq")))
static int tp_has_wide;
static uint64_t tp_fold[3][2];    // by 2048, 512 and 128 bits

__attribute__((constructor(201))) static void tp_crc_fold_make(void) {
  __builtin_cpu_init();
  tp_has_wide = tp_has_sse42 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("pclmul") &&
                __builtin_cpu_supports("vpclmulqdq");
  const uint32_t bits[3] = {2048, 512, 128};
  for (int i = 0; i < 3; i++) {
    tp_fold[i][0] = (uint64_t)tp_crc_power(bits[i] + 32) << 1;
    tp_fold[i][1] = (uint64_t)tp_crc_power(bits[i] - 32) << 1;
  }
}

TP_WIDE static inline __m512i tp_folded(__m512i block, __m512i by, __m512i next) {
  return _mm512_ternarylogic_epi64(_mm512_clmulepi64_epi128(block, by, 0x00),
                                   _mm512_clmulepi64_epi128(block, by, 0x11), next, 0x96);
}

// At least 512 bytes.
TP_WIDE static uint32_t tp_crc_wide(uint32_t crc, const uint8_t *p, size_t n) {
  __m512i by = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)tp_fold[0]));
  __m512i a = _mm512_xor_si512(_mm512_loadu_si512(p), _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)crc)));
  __m512i b = _mm512_loadu_si512(p + 64), c = _mm512_loadu_si512(p + 128), d = _mm512_loadu_si512(p + 192);
  for (p += 256, n -= 256; n >= 256; p += 256, n -= 256) {
    a = tp_folded(a, by, _mm512_loadu_si512(p));
    b = tp_folded(b, by, _mm512_loadu_si512(p + 64));
    c = tp_folded(c, by, _mm512_loadu_si512(p + 128));
    d = tp_folded(d, by, _mm512_loadu_si512(p + 192));
  }
  by = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)tp_fold[1]));
  d = tp_folded(tp_folded(tp_folded(a, by, b), by, c), by, d);
  const __m128i by128 = _mm_loadu_si128((const __m128i *)tp_fold[2]);
  __m128i block = _mm512_castsi512_si128(d);
  const __m128i rest[3] = {_mm512_extracti32x4_epi32(d, 1), _mm512_extracti32x4_epi32(d, 2),
                           _mm512_extracti32x4_epi32(d, 3)};
  for (int i = 0; i < 3; i++)
    block = _mm_xor_si128(_mm_xor_si128(_mm_clmulepi64_si128(block, by128, 0x00),
                                        _mm_clmulepi64_si128(block, by128, 0x11)), rest[i]);
  uint64_t sum = _mm_crc32_u64(0, (uint64_t)_mm_extract_epi64(block, 0));
  sum = _mm_crc32_u64(sum, (uint64_t)_mm_extract_epi64(block, 1));
  return tp_crc_sse42((uint32_t)sum, p, n);
}
#endif

#if defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
static uint32_t tp_crc_arm(uint32_t c, const uint8_t *p, size_t n) {
  while (n >= 8) {
    uint64_t x;
    memcpy(&x, p, 8);
    c = __crc32cd(c, x);
    p += 8;
    n -= 8;
  }
  while (n--) c = __crc32cb(c, *p++);
  return c;
}
#endif

uint32_t tp_crc32c(uint32_t crc, const void *bytes, size_t length) {
  const uint8_t *p = bytes;
  uint32_t c = ~crc;
#if defined(__x86_64__)
  c = tp_has_wide && length >= 512 ? tp_crc_wide(c, p, length)
      : tp_has_sse42               ? tp_crc_sse42(c, p, length)
                                   : tp_crc_portable(c, p, length);
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
  c = tp_crc_arm(c, p, length);
#else
  c = tp_crc_portable(c, p, length);
#endif
  return ~c;
}

uint32_t tp_crc32c_join(uint32_t first, uint32_t second, size_t length) {
  // Bytes that follow multiply by x to the power of eight times their number.
  return tp_crc_product(tp_crc_power(length * 8), first) ^ second;
}
