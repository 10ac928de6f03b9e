#include "buffered_driver.h"
#include "loading.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#if H5_VERSION_GE(1, 13, 0)
#if __has_include(<H5FDdevelop.h>)
#include <H5FDdevelop.h>
#else
#include <hdf5/serial/H5FDdevelop.h>
#endif
#endif

// A file driver for libhdf5 that keeps the end of the file in memory and writes it in whole aligned pieces. Chunks come
// in some kilobytes at odd places; written one by one they cost the kernel 1.9 ms for 3.4 MB where pieces cost 0.8
// (docs/decisions.md). What lies before the piece in memory is written and read at once, as libhdf5's own driver does.

enum { PIECE = 256 << 10 };

typedef struct {
  H5FD_t shared;  // libhdf5's part, which must be the first
  int fd;
  dev_t device;
  ino_t inode;
  haddr_t allocated;
  haddr_t base;   // where the piece in memory begins, a multiple of its size; all before it is in the file
  size_t filled;  // bytes of the piece
  size_t written; // of which so many are in the file as well
  uint8_t *piece;
} buffered;

// The file that this thread has made and libhdf5 is about to ask for; -1 where there is none.
static _Thread_local int prepared = -1;

void tph5_prepare(int fd) { prepared = fd; }

int tph5_take_prepared(void) {
  int fd = prepared;
  prepared = -1;
  return fd;
}

static int failed(const char *what) {
  H5Epush2(H5E_DEFAULT, "buffered_driver.c", __func__, __LINE__, H5E_ERR_CLS, H5E_IO, H5E_WRITEERROR,
           "%s: error message = '%s'", what, strerror(errno));
  return -1;
}

static int write_all(int fd, const uint8_t *bytes, size_t count, haddr_t at) {
  while (count) {
    ssize_t n = pwrite(fd, bytes, count, (off_t)at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("file write failed");
    bytes += n, at += (haddr_t)n, count -= (size_t)n;
  }
  return 0;
}

// Reads bytes that are in the file; what lies behind its end is 0.
static int read_all(int fd, uint8_t *bytes, size_t count, haddr_t at) {
  while (count) {
    ssize_t n = pread(fd, bytes, count, (off_t)at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("file read failed");
    if (n == 0) {
      memset(bytes, 0, count);
      return 0;
    }
    bytes += n, at += (haddr_t)n, count -= (size_t)n;
  }
  return 0;
}

static H5FD_t *driver_open(const char *name, unsigned flags, hid_t access, haddr_t most) {
  (void)name, (void)access, (void)most;
  // libhdf5 first looks whether there is a file of that name, and asks for a new one when there is none.
  int fd = flags & H5F_ACC_CREAT ? tph5_take_prepared() : -1;
  if (fd < 0) {
    errno = ENOENT;
    failed("unable to open file");
    return NULL;
  }
  struct stat status;
  buffered *file = calloc(1, sizeof *file);
  if (!file || fstat(fd, &status) || !(file->piece = malloc(PIECE))) {
    failed("unable to open file");
    free(file);
    close(fd);
    return NULL;
  }
  file->fd = fd;
  file->device = status.st_dev;
  file->inode = status.st_ino;
  return &file->shared;
}

static herr_t flush_piece(buffered *file) {
  size_t from = file->written & ~(size_t)4095;
  if (file->written == file->filled) return 0;
  if (write_all(file->fd, file->piece + from, file->filled - from, file->base + from)) return -1;
  file->written = file->filled;
  return 0;
}

static herr_t driver_close(H5FD_t *shared) {
  buffered *file = (buffered *)shared;
  herr_t status = flush_piece(file);
  if (close(file->fd)) status = failed("unable to close file");
  free(file->piece);
  free(file);
  return status;
}

static int driver_compare(const H5FD_t *first, const H5FD_t *second) {
  const buffered *a = (const buffered *)first, *b = (const buffered *)second;
  if (a->device != b->device) return a->device < b->device ? -1 : 1;
  return a->inode == b->inode ? 0 : a->inode < b->inode ? -1 : 1;
}

// What libhdf5's own driver for files says of itself, so that it lays out the same bytes.
static herr_t driver_query(const H5FD_t *shared, unsigned long *flags) {
  (void)shared;
  if (flags)
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA | H5FD_FEAT_SUPPORTS_SWMR_IO |
             H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
  return 0;
}

static haddr_t driver_get_eoa(const H5FD_t *shared, H5FD_mem_t type) {
  (void)type;
  return ((const buffered *)shared)->allocated;
}

static herr_t driver_set_eoa(H5FD_t *shared, H5FD_mem_t type, haddr_t address) {
  (void)type;
  ((buffered *)shared)->allocated = address;
  return 0;
}

static haddr_t driver_get_eof(const H5FD_t *shared, H5FD_mem_t type) {
  (void)type;
  const buffered *file = (const buffered *)shared;
  return file->base + file->filled;
}

static herr_t driver_get_handle(H5FD_t *shared, hid_t access, void **handle) {
  (void)access;
  *handle = shared;
  return 0;
}

static herr_t driver_read(H5FD_t *shared, H5FD_mem_t type, hid_t transfer, haddr_t at, size_t count,
                          void *bytes) {
  (void)type, (void)transfer;
  buffered *file = (buffered *)shared;
  uint8_t *out = bytes;
  if (at < file->base) {
    size_t part = file->base - at < count ? (size_t)(file->base - at) : count;
    if (read_all(file->fd, out, part, at)) return -1;
    at += part, out += part, count -= part;
  }
  if (!count) return 0;
  size_t from = (size_t)(at - file->base);
  size_t there = at - file->base >= file->filled ? 0 : file->filled - from < count ? file->filled - from : count;
  if (there) memcpy(out, file->piece + from, there);
  memset(out + there, 0, count - there);
  return 0;
}

static herr_t driver_write(H5FD_t *shared, H5FD_mem_t type, hid_t transfer, haddr_t at, size_t count,
                           const void *bytes) {
  (void)type, (void)transfer;
  buffered *file = (buffered *)shared;
  const uint8_t *from = bytes;
  if (at < file->base) {
    size_t part = file->base - at < count ? (size_t)(file->base - at) : count;
    if (write_all(file->fd, from, part, at)) return -1;
    at += part, from += part, count -= part;
  }
  while (count) {
    if (at - file->base >= PIECE) {
      // The piece is complete: bytes that were left out are 0.
      memset(file->piece + file->filled, 0, PIECE - file->filled);
      file->filled = PIECE;
      if (flush_piece(file)) return -1;
      file->base += PIECE;
      file->filled = file->written = 0;
      continue;
    }
    size_t place = (size_t)(at - file->base), part = PIECE - place < count ? PIECE - place : count;
    if (place > file->filled) memset(file->piece + file->filled, 0, place - file->filled);
    memcpy(file->piece + place, from, part);
    if (place + part > file->filled) file->filled = place + part;
    if (place < file->written) file->written = place;
    at += part, from += part, count -= part;
  }
  return 0;
}

// libhdf5 flushes three times while it closes a file. Nobody else reads the file before it is closed, so that its end
// is written once, then.
static herr_t driver_flush(H5FD_t *shared, hid_t transfer, hbool_t closing) {
  (void)shared, (void)transfer, (void)closing;
  return 0;
}

static herr_t driver_truncate(H5FD_t *shared, hid_t transfer, hbool_t closing) {
  (void)transfer, (void)closing;
  buffered *file = (buffered *)shared;
  haddr_t end = file->base + file->filled;
  if (end == file->allocated) return 0;
  if (file->allocated >= file->base && file->allocated - file->base <= PIECE) {
    // It ends within the piece: bytes that were left out are 0.
    size_t filled = (size_t)(file->allocated - file->base);
    if (filled > file->filled) memset(file->piece + file->filled, 0, filled - file->filled);
    file->filled = filled;
    if (file->written > filled) {
      file->written = filled;
      if (ftruncate(file->fd, (off_t)file->allocated)) return failed("unable to extend file properly");
    }
    return 0;
  }
  if (flush_piece(file)) return -1;
  if (ftruncate(file->fd, (off_t)file->allocated)) return failed("unable to extend file properly");
  // The piece goes on where the file ends.
  file->base = file->allocated / PIECE * PIECE;
  file->filled = file->written = (size_t)(file->allocated - file->base);
  return read_all(file->fd, file->piece, file->filled, file->base);
}

static const H5FD_class_t driver = {
#ifdef H5FD_CLASS_VERSION
    .version = H5FD_CLASS_VERSION,
    .value = (H5FD_class_value_t)768, // of those left for drivers that are not registered
#endif
    .name = "trajpack_buffered",
    .maxaddr = INT64_MAX,
    .fc_degree = H5F_CLOSE_WEAK,
    .open = driver_open,
    .close = driver_close,
    .cmp = driver_compare,
    .query = driver_query,
    .get_eoa = driver_get_eoa,
    .set_eoa = driver_set_eoa,
    .get_eof = driver_get_eof,
    .get_handle = driver_get_handle,
    .read = driver_read,
    .write = driver_write,
    .flush = driver_flush,
    .truncate = driver_truncate,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

int tph5_buffered(hid_t access) {
  // Writers run one at a time in a thread each, so the first one may be two.
  static hid_t known = -1;
  hid_t id = __atomic_load_n(&known, __ATOMIC_ACQUIRE);
  if (id < 0) {
    id = H5FDregister(&driver);
    if (id < 0) return -1;
    __atomic_store_n(&known, id, __ATOMIC_RELEASE);
  }
  return H5Pset_driver(access, id, NULL) < 0 ? -1 : 0;
}

int tph5_lies(hid_t id, const void *bytes, size_t count, uint64_t offset) {
  buffered *file = NULL;
  if (H5Fget_vfd_handle(id, H5P_DEFAULT, (void **)&file) < 0) return -1;
  if (offset + count > file->base + file->filled) return 0;
  const uint8_t *wanted = bytes;
  while (count && offset < file->base) {
    uint8_t part[16 << 10];
    size_t size = file->base - offset < sizeof part ? (size_t)(file->base - offset) : sizeof part;
    if (size > count) size = count;
    if (read_all(file->fd, part, size, offset)) return -1;
    if (memcmp(part, wanted, size)) return 0;
    wanted += size, offset += size, count -= size;
  }
  return !count || !memcmp(file->piece + (offset - file->base), wanted, count);
}
