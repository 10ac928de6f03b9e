// Preloaded: the nth call of a kind below $FAILING_ROOT fails, once.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_SYNC = 1, FOLDER_SYNC, RENAME, WRITE, UNLINK };
static int kind, code;
static long left;

// Has the nth call of a kind fail with an errno; gives how many were still to come of the one before.
long failing_arm(int what, long nth, int error) {
  long before = left;
  kind = what, left = nth, code = error;
  return before;
}

static int is_below(const char *path) {
  const char *root = getenv("FAILING_ROOT");
  return root && !strncmp(path, root, strlen(root));
}

static int is_open_below(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t count = readlink(link, path, sizeof path - 1);
  if (count <= 0) return 0;
  path[count] = 0;
  return is_below(path);
}

static int fails(int what) {
  if (kind != what || left <= 0 || --left > 0) return 0;
  errno = code;
  return 1;
}

#define REAL(type, name, ...)                         \
  static type (*real)(__VA_ARGS__);                   \
  if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

int fsync(int fd) {
  REAL(int, fsync, int);
  struct stat status;
  int is_folder = fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
  if (is_open_below(fd) && fails(is_folder ? FOLDER_SYNC : FILE_SYNC)) return -1;
  return real(fd);
}

int rename(const char *from, const char *to) {
  REAL(int, rename, const char *, const char *);
  if (is_below(to) && fails(RENAME)) return -1;
  return real(from, to);
}

int renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
  REAL(int, renameat2, int, const char *, int, const char *, unsigned);
  if (is_below(to) && fails(RENAME)) return -1;
  return real(a, from, b, to, flags);
}

ssize_t write(int fd, const void *bytes, size_t count) {
  REAL(ssize_t, write, int, const void *, size_t);
  if (is_open_below(fd) && fails(WRITE)) return -1;
  return real(fd, bytes, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
  REAL(ssize_t, pwrite, int, const void *, size_t, off_t);
  if (is_open_below(fd) && fails(WRITE)) return -1;
  return real(fd, bytes, count, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
  REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t);
  if (is_open_below(fd) && fails(WRITE)) return -1;
  return real(fd, bytes, count, offset);
}

int unlink(const char *path) {
  REAL(int, unlink, const char *);
  if (is_below(path) && fails(UNLINK)) return -1;
  return real(path);
}
