// Decompression in foreign files: the filters that are common and that libhdf5 does not have.
#include "hdf5_reader.h"
#include <lz4.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define LZF_FILTER 32000
#define LZ4_FILTER 32004
#define ZSTD_FILTER 32015

static uint32_t big(const unsigned char *bytes, int count) {
  uint64_t value = 0;
  for (int i = 0; i < count; i++) value = value << 8 | bytes[i];
  return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

static size_t replace(void **buffer, size_t *size, void *with, size_t count) {
  free(*buffer);
  *buffer = with;
  *size = count;
  return count;
}

static size_t zstd_filter(unsigned flags, size_t parameters, const unsigned values[], size_t bytes, size_t *size,
                          void **buffer) {
  (void)parameters, (void)values;
  if (!(flags & H5Z_FLAG_REVERSE)) return 0;
  unsigned long long count = ZSTD_getFrameContentSize(*buffer, bytes);
  if (count == ZSTD_CONTENTSIZE_ERROR || count == ZSTD_CONTENTSIZE_UNKNOWN || count > UINT32_MAX) return 0;
  void *out = malloc(count ? count : 1);
  if (!out) return 0;
  size_t got = ZSTD_decompress(out, count, *buffer, bytes);
  if (ZSTD_isError(got) || got != count) {
    free(out);
    return 0;
  }
  return replace(buffer, size, out, got);
}

// Of The HDF Group's registered filter: the size in all (8 bytes), that of a block (4), then blocks with their sizes.
static size_t lz4_filter(unsigned flags, size_t parameters, const unsigned values[], size_t bytes, size_t *size,
                         void **buffer) {
  (void)parameters, (void)values;
  const unsigned char *from = *buffer;
  if (!(flags & H5Z_FLAG_REVERSE) || bytes < 12) return 0;
  uint32_t total = big(from, 8), block = big(from + 8, 4);
  if (total > INT32_MAX || (block == 0 && total > 0)) return 0;
  char *out = malloc(total ? total : 1);
  if (!out) return 0;
  size_t at = 12, done = 0;
  while (done < total) {
    uint32_t wanted = total - done < block ? (uint32_t)(total - done) : block;
    if (bytes - at < 4) break;
    uint32_t packed = big(from + at, 4);
    at += 4;
    if (packed > bytes - at) break;
    if (packed == wanted)
      memcpy(out + done, from + at, wanted);
    else if (LZ4_decompress_safe((const char *)from + at, out + done, (int)packed, (int)wanted) != (int)wanted)
      break;
    at += packed;
    done += wanted;
  }
  if (done < total) {
    free(out);
    return 0;
  }
  return replace(buffer, size, out, total);
}

// LibLZF: a byte below 32 begins a run of literals, others a copy of what came before.
static size_t lzf_unpack(const unsigned char *from, size_t bytes, unsigned char *out, size_t room) {
  size_t at = 0, done = 0;
  while (at < bytes) {
    unsigned control = from[at++];
    if (control < 32) {
      control++;
      if (control > room - done || control > bytes - at) return 0;
      memcpy(out + done, from + at, control);
      at += control;
      done += control;
    } else {
      size_t count = control >> 5, back = (control & 31) << 8;
      if (count == 7) {
        if (at >= bytes) return 0;
        count += from[at++];
      }
      if (at >= bytes) return 0;
      back += from[at++] + 1u;
      count += 2;
      if (back > done || count > room - done) return 0;
      for (size_t i = 0; i < count; i++, done++) out[done] = out[done - back];
    }
  }
  return done;
}

// h5py's filter: its third parameter is the size of a chunk.
static size_t lzf_filter(unsigned flags, size_t parameters, const unsigned values[], size_t bytes, size_t *size,
                         void **buffer) {
  if (!(flags & H5Z_FLAG_REVERSE)) return 0;
  size_t room = parameters >= 3 && values[2] ? values[2] : *size;
  unsigned char *out = malloc(room ? room : 1);
  if (!out) return 0;
  size_t got = lzf_unpack(*buffer, bytes, out, room);
  if (got == 0) {
    free(out);
    return 0;
  }
  return replace(buffer, size, out, got);
}

void tph5_register_filters(void) {
  static const H5Z_class2_t filters[] = {{H5Z_CLASS_T_VERS, LZF_FILTER, 0, 1, "lzf", NULL, NULL, lzf_filter},
                                         {H5Z_CLASS_T_VERS, LZ4_FILTER, 0, 1, "lz4", NULL, NULL, lz4_filter},
                                         {H5Z_CLASS_T_VERS, ZSTD_FILTER, 0, 1, "zstd", NULL, NULL, zstd_filter}};
  for (int i = 0; i < 3; i++) H5Zregister(filters + i);
}
