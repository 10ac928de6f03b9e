// Logs every change that a process makes to files under $WRITELOG_ROOT to $WRITELOG, in the order in which
// the changes happen: the crash proof replays the log up to any point. Loaded with LD_PRELOAD.
//
// A record: op (1 byte), fd (int32), a and b (int64), two lengths (uint32), then two byte strings.
// One lock around each call and its record keeps the log in the order of the calls.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OPEN = 1, CLOSE, WRITE, TRUNCATE, SYNC, RENAME, LINK, UNLINK, MKDIR, RMDIR, DUP, ALLOCATE, UNKNOWN };

#define FDS 65536
static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned char tracked[FDS];
static int log_fd = -1;
static char root[4096];
static size_t root_length;

#define REAL(name) \
  static __typeof__(name) *real; \
  if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static void start(void) {
  const char *folder = getenv("WRITELOG_ROOT"), *path = getenv("WRITELOG");
  if (!folder || !path || strlen(folder) >= sizeof root) return;
  strcpy(root, folder);
  root_length = strlen(root);
  int (*real_open)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
  log_fd = real_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void put(const void *bytes, size_t count) {
  static ssize_t (*real_write)(int, const void *, size_t);
  if (!real_write) real_write = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
  const char *at = bytes;
  while (count) {
    ssize_t n = real_write(log_fd, at, count);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) abort();  // a log with a hole would prove nothing
    at += n;
    count -= (size_t)n;
  }
}

static void record(int op, int fd, int64_t a, int64_t b, const void *x, size_t nx, const void *y, size_t ny) {
  int saved = errno;
  unsigned char head[29];
  int32_t fd32 = fd;
  uint32_t lx = (uint32_t)nx, ly = (uint32_t)ny;
  head[0] = (unsigned char)op;
  memcpy(head + 1, &fd32, 4), memcpy(head + 5, &a, 8), memcpy(head + 13, &b, 8);
  memcpy(head + 21, &lx, 4), memcpy(head + 25, &ly, 4);
  put(head, sizeof head);
  if (nx) put(x, nx);
  if (ny) put(y, ny);
  errno = saved;
}

// The absolute form of a path, and whether it lies under the root.
static int inside(int folder, const char *path, char out[8192]) {
  pthread_once(&once, start);
  if (log_fd < 0 || !path) return 0;
  if (path[0] == '/') {
    snprintf(out, 8192, "%s", path);
  } else {
    char base[4096], link[64];
    snprintf(link, sizeof link, folder == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", folder);
    ssize_t n = readlink(link, base, sizeof base - 1);
    if (n < 0) return 0;
    base[n] = 0;
    snprintf(out, 8192, "%s/%s", base, path);
  }
  size_t n = strlen(out);
  while (n > 1 && out[n - 1] == '/') out[--n] = 0;
  return strncmp(out, root, root_length) == 0 && (out[root_length] == '/' || out[root_length] == 0);
}

static int follows(int fd) { return fd >= 0 && fd < FDS && tracked[fd]; }

static void opened(int fd, int flags, const char *path) {
  if (fd < 0) return;
  if (fd >= FDS) abort();
  tracked[fd] = 1;
  record(OPEN, fd, flags, 0, path, strlen(path), NULL, 0);
}

#define GUARD pthread_mutex_lock(&lock)
#define DONE pthread_mutex_unlock(&lock)

#define OPENER(name) \
  int name(const char *path, int flags, ...) { \
    REAL(name); \
    va_list list; \
    va_start(list, flags); \
    mode_t mode = va_arg(list, mode_t); \
    va_end(list); \
    char full[8192]; \
    if (!inside(AT_FDCWD, path, full)) return real(path, flags, mode); \
    GUARD; \
    int fd = real(path, flags, mode); \
    opened(fd, flags, full); \
    DONE; \
    return fd; \
  }
OPENER(open)
OPENER(open64)

#define OPENER_AT(name) \
  int name(int folder, const char *path, int flags, ...) { \
    REAL(name); \
    va_list list; \
    va_start(list, flags); \
    mode_t mode = va_arg(list, mode_t); \
    va_end(list); \
    char full[8192]; \
    if (!inside(folder, path, full)) return real(folder, path, flags, mode); \
    GUARD; \
    int fd = real(folder, path, flags, mode); \
    opened(fd, flags, full); \
    DONE; \
    return fd; \
  }
OPENER_AT(openat)
OPENER_AT(openat64)

int creat(const char *path, mode_t mode) { return open(path, O_WRONLY | O_CREAT | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return open(path, O_WRONLY | O_CREAT | O_TRUNC, mode); }

int close(int fd) {
  REAL(close);
  if (!follows(fd)) return real(fd);
  GUARD;
  tracked[fd] = 0;
  record(CLOSE, fd, 0, 0, NULL, 0, NULL, 0);
  int status = real(fd);
  DONE;
  return status;
}

static void doubled(int from, int to) {
  if (to >= FDS) abort();
  if (to >= 0) {
    tracked[to] = 1;
    record(DUP, from, to, 0, NULL, 0, NULL, 0);
  }
}
int dup(int fd) {
  REAL(dup);
  if (!follows(fd)) return real(fd);
  GUARD;
  int to = real(fd);
  doubled(fd, to);
  DONE;
  return to;
}
int dup2(int fd, int to) {
  REAL(dup2);
  if (!follows(fd)) return real(fd, to);
  GUARD;
  int out = real(fd, to);
  doubled(fd, out);
  DONE;
  return out;
}

// After a plain write, the place of its bytes is behind the file's position.
ssize_t write(int fd, const void *bytes, size_t count) {
  REAL(write);
  if (!follows(fd)) return real(fd, bytes, count);
  GUARD;
  ssize_t n = real(fd, bytes, count);
  int saved = errno;
  if (n > 0) record(WRITE, fd, lseek(fd, 0, SEEK_CUR) - n, 0, bytes, (size_t)n, NULL, 0);
  errno = saved;
  DONE;
  return n;
}

#define PWRITER(name, offset_type) \
  ssize_t name(int fd, const void *bytes, size_t count, offset_type offset) { \
    REAL(name); \
    if (!follows(fd)) return real(fd, bytes, count, offset); \
    GUARD; \
    ssize_t n = real(fd, bytes, count, offset); \
    if (n > 0) record(WRITE, fd, offset, 0, bytes, (size_t)n, NULL, 0); \
    DONE; \
    return n; \
  }
PWRITER(pwrite, off_t)
PWRITER(pwrite64, off64_t)

#define TRUNCATER(name, length_type) \
  int name(int fd, length_type length) { \
    REAL(name); \
    if (!follows(fd)) return real(fd, length); \
    GUARD; \
    int status = real(fd, length); \
    if (status == 0) record(TRUNCATE, fd, length, 0, NULL, 0, NULL, 0); \
    DONE; \
    return status; \
  }
TRUNCATER(ftruncate, off_t)
TRUNCATER(ftruncate64, off64_t)

#define SYNCER(name) \
  int name(int fd) { \
    REAL(name); \
    if (!follows(fd)) return real(fd); \
    GUARD; \
    int status = real(fd); \
    if (status == 0) record(SYNC, fd, 0, 0, NULL, 0, NULL, 0); \
    DONE; \
    return status; \
  }
SYNCER(fsync)
SYNCER(fdatasync)

static int renamed(int status, int flags, const char *from, const char *to) {
  if (status == 0) record(RENAME, -1, flags, 0, from, strlen(from), to, strlen(to));
  return status;
}
int rename(const char *from, const char *to) {
  REAL(rename);
  char a[8192], b[8192];
  int ours = inside(AT_FDCWD, from, a) | inside(AT_FDCWD, to, b);
  if (!ours) return real(from, to);
  GUARD;
  int status = renamed(real(from, to), 0, a, b);
  DONE;
  return status;
}
int renameat(int f1, const char *from, int f2, const char *to) {
  REAL(renameat);
  char a[8192], b[8192];
  int ours = inside(f1, from, a) | inside(f2, to, b);
  if (!ours) return real(f1, from, f2, to);
  GUARD;
  int status = renamed(real(f1, from, f2, to), 0, a, b);
  DONE;
  return status;
}
int renameat2(int f1, const char *from, int f2, const char *to, unsigned flags) {
  REAL(renameat2);
  char a[8192], b[8192];
  int ours = inside(f1, from, a) | inside(f2, to, b);
  if (!ours) return real(f1, from, f2, to, flags);
  GUARD;
  int status = renamed(real(f1, from, f2, to, flags), (int)flags, a, b);
  DONE;
  return status;
}

static int linked(int status, const char *from, const char *to) {
  if (status == 0) record(LINK, -1, 0, 0, from, strlen(from), to, strlen(to));
  return status;
}
int link(const char *from, const char *to) {
  REAL(link);
  char a[8192], b[8192];
  int ours = inside(AT_FDCWD, from, a) | inside(AT_FDCWD, to, b);
  if (!ours) return real(from, to);
  GUARD;
  int status = linked(real(from, to), a, b);
  DONE;
  return status;
}
int linkat(int f1, const char *from, int f2, const char *to, int flags) {
  REAL(linkat);
  char a[8192], b[8192];
  int ours = inside(f1, from, a) | inside(f2, to, b);
  if (!ours) return real(f1, from, f2, to, flags);
  GUARD;
  int status = linked(real(f1, from, f2, to, flags), a, b);
  DONE;
  return status;
}

#define PATHER(name, op, folder, arguments, call) \
  int name arguments { \
    REAL(name); \
    char full[8192]; \
    if (!inside(folder, path, full)) return real call; \
    GUARD; \
    int status = real call; \
    if (status == 0) record(op, -1, 0, 0, full, strlen(full), NULL, 0); \
    DONE; \
    return status; \
  }
PATHER(unlink, UNLINK, AT_FDCWD, (const char *path), (path))
PATHER(remove, UNLINK, AT_FDCWD, (const char *path), (path))
PATHER(rmdir, RMDIR, AT_FDCWD, (const char *path), (path))
PATHER(mkdir, MKDIR, AT_FDCWD, (const char *path, mode_t mode), (path, mode))
PATHER(mkdirat, MKDIR, folder, (int folder, const char *path, mode_t mode), (folder, path, mode))
int unlinkat(int folder, const char *path, int flags) {
  REAL(unlinkat);
  char full[8192];
  if (!inside(folder, path, full)) return real(folder, path, flags);
  GUARD;
  int status = real(folder, path, flags);
  if (status == 0)
    record(flags & AT_REMOVEDIR ? RMDIR : UNLINK, -1, 0, 0, full, strlen(full), NULL, 0);
  DONE;
  return status;
}

// Room that is set aside: the file grows by zeros where its length does.
#define ALLOCATER(name, type, arguments, call, mode_value) \
  int name arguments { \
    REAL(name); \
    if (!follows(fd)) return real call; \
    GUARD; \
    int status = real call; \
    if (status == 0) record(ALLOCATE, fd, offset + length, mode_value, NULL, 0, NULL, 0); \
    DONE; \
    return status; \
  }
ALLOCATER(fallocate, off_t, (int fd, int mode, off_t offset, off_t length), (fd, mode, offset, length), mode)
ALLOCATER(fallocate64, off64_t, (int fd, int mode, off64_t offset, off64_t length), (fd, mode, offset, length), mode)
ALLOCATER(posix_fallocate, off_t, (int fd, off_t offset, off_t length), (fd, offset, length), 0)
ALLOCATER(posix_fallocate64, off64_t, (int fd, off64_t offset, off64_t length), (fd, offset, length), 0)

// What this log cannot follow is named in it, and the test fails on it.
static void unknown(const char *name) { record(UNKNOWN, -1, 0, 0, name, strlen(name), NULL, 0); }
#define REFUSE(type, name, arguments, call, condition) \
  type name arguments { \
    REAL(name); \
    if (condition) { \
      GUARD; \
      unknown(#name); \
      DONE; \
    } \
    return real call; \
  }
REFUSE(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n), follows(fd))
REFUSE(ssize_t, pwritev, (int fd, const struct iovec *v, int n, off_t o), (fd, v, n, o), follows(fd))
REFUSE(ssize_t, pwritev2, (int fd, const struct iovec *v, int n, off_t o, int f), (fd, v, n, o, f), follows(fd))
REFUSE(ssize_t, copy_file_range, (int f, off64_t *i, int fd, off64_t *o, size_t n, unsigned g), (f, i, fd, o, n, g),
       follows(fd))
REFUSE(ssize_t, sendfile, (int fd, int f, off_t *o, size_t n), (fd, f, o, n), follows(fd))
REFUSE(ssize_t, sendfile64, (int fd, int f, off64_t *o, size_t n), (fd, f, o, n), follows(fd))
REFUSE(int, truncate, (const char *path, off_t n), (path, n), inside(AT_FDCWD, path, (char[8192]){0}))
REFUSE(FILE *, fopen, (const char *path, const char *mode), (path, mode),
       inside(AT_FDCWD, path, (char[8192]){0}) && strpbrk(mode, "wa+"))
REFUSE(FILE *, fopen64, (const char *path, const char *mode), (path, mode),
       inside(AT_FDCWD, path, (char[8192]){0}) && strpbrk(mode, "wa+"))
REFUSE(void *, mmap, (void *at, size_t n, int protection, int flags, int fd, off_t o),
       (at, n, protection, flags, fd, o), follows(fd) && (flags & MAP_SHARED) && (protection & PROT_WRITE))
REFUSE(void *, mmap64, (void *at, size_t n, int protection, int flags, int fd, off64_t o),
       (at, n, protection, flags, fd, o), follows(fd) && (flags & MAP_SHARED) && (protection & PROT_WRITE))
