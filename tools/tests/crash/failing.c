// Preloaded: the nth call of a kind below $FAILING_ROOT fails, once, or from then on, or does a part of its work, or waits.
// Armed by failing_arm, or by FAILING="kind nth code [always]"; the calls of that kind are counted into $FAILING_COUNT.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_SYNC = 1, FOLDER_SYNC, RENAME, WRITE, UNLINK, READ };
// Codes that are no errno: half of the bytes are moved; the call waits until $FAILING_GO is there.
enum { SHORT = 1000, PAUSE };
static int kind, code, always;
static long left, count;

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

__attribute__((constructor)) static void start(void) {
  const char *text = getenv("FAILING");
  char word[16] = "";
  if (text && sscanf(text, "%d %ld %d %15s", &kind, &left, &code, word) >= 3) always = word[0] == 'a';
}

__attribute__((destructor)) static void end(void) {
  const char *path = getenv("FAILING_COUNT");
  FILE *file = path ? fopen(path, "w") : NULL;
  if (!file) return;
  fprintf(file, "%ld", count);
  fclose(file);
}

static void wait_for_go(void) {
  const char *path = getenv("FAILING_GO");
  const char *at = getenv("FAILING_AT");
  if (at) {
    FILE *file = fopen(at, "w");
    if (file) fclose(file);
  }
  for (int i = 0; path && i < 6000 && access(path, F_OK) != 0; i++) usleep(10000);
}

// Whether this call is the one that fails, with what.
static int meets(int what) {
  if (kind != what) return 0;
  long number = __sync_add_and_fetch(&count, 1);
  if (left <= 0) return 0;
  long now = __sync_sub_and_fetch(&left, 1);
  if (now > 0) return 0;
  if (always) left = 1;
  (void)number;
  return code;
}

static int fails(int what) {
  int met = meets(what);
  if (met == PAUSE) wait_for_go();
  if (met == 0 || met >= SHORT) return 0;
  errno = met;
  return 1;
}

// How many bytes such a call may move: -1 where it fails.
static ssize_t allowed(int what, size_t wanted) {
  int met = meets(what);
  if (met == PAUSE) wait_for_go();
  if (met == SHORT) return wanted > 1 ? (ssize_t)(wanted / 2) : (ssize_t)wanted;
  if (met == 0 || met == PAUSE) return (ssize_t)wanted;
  errno = met;
  return -1;
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

#define MOVER(name, what, parameters, type, ...)                       \
  ssize_t name(int fd, type bytes, size_t count parameters) {            \
    static ssize_t (*real)(int, type, size_t parameters);                \
    if (!real) real = (ssize_t(*)(int, type, size_t parameters))dlsym(RTLD_NEXT, #name); \
    ssize_t most = is_open_below(fd) ? allowed(what, count) : (ssize_t)count; \
    return most < 0 ? -1 : real(fd, bytes, (size_t)most __VA_ARGS__);    \
  }
#define COMMA ,
MOVER(write, WRITE, , const void *)
MOVER(pwrite, WRITE, COMMA off_t offset, const void *, COMMA offset)
MOVER(pwrite64, WRITE, COMMA off64_t offset, const void *, COMMA offset)
MOVER(read, READ, , void *)
MOVER(pread, READ, COMMA off_t offset, void *, COMMA offset)
MOVER(pread64, READ, COMMA off64_t offset, void *, COMMA offset)

int unlink(const char *path) {
  REAL(int, unlink, const char *);
  if (is_below(path) && fails(UNLINK)) return -1;
  return real(path);
}
