#define _GNU_SOURCE
#include "platform.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

// A file without a name that this process alone can reach; -1 where there can be none.
static int nameless(const char *folder) {
  int descriptor = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (descriptor >= 0) return descriptor;
  char path[4096];
  int length = snprintf(path, sizeof path, "%s/trajpack-XXXXXX", folder);
  if (length < 0 || (size_t)length >= sizeof path) return -1;
  descriptor = mkostemp(path, O_CLOEXEC);
  if (descriptor >= 0) unlink(path);
  return descriptor;
}

// Whether a file lies on a disk of this machine that has room for 16 times as much: what a network or another process
// answers for can get lost, and tmpfs and ramfs are memory themselves.
static int is_on_disk(int descriptor, size_t count) {
  struct statfs kind;
  struct statvfs room;
  if (!tp_is_local(descriptor) || fstatfs(descriptor, &kind) != 0 || fstatvfs(descriptor, &room) != 0) return 0;
  if ((uint32_t)kind.f_type == 0x01021994 || (uint32_t)kind.f_type == 0x858458F6) return 0;
  return (double)room.f_bavail * (double)room.f_frsize >= 16.0 * (double)count;
}

void *tp_disk_memory(const char *folder, size_t count, int *descriptor) {
  *descriptor = nameless(folder);
  if (*descriptor < 0) return NULL;
  // Room is had before it is written to: a page without one would end the process.
  void *start = MAP_FAILED;
  if (is_on_disk(*descriptor, count) && fallocate(*descriptor, 0, 0, (off_t)count) == 0)
    start = mmap(NULL, count, PROT_READ | PROT_WRITE, MAP_SHARED, *descriptor, 0);
  if (start != MAP_FAILED) return start;
  close(*descriptor);
  *descriptor = -1;
  return NULL;
}

size_t tp_disk_memory_settle(void *start, size_t count, size_t used, int descriptor) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  size_t kept = used == 0 ? page : (used + page - 1) / page * page;
  if (kept < count && ftruncate(descriptor, (off_t)kept) == 0)
    munmap((char *)start + kept, count - kept);
  else
    kept = count;
  // The bytes stay in the file: they come back when they are looked at.
  madvise(start, kept, MADV_DONTNEED);
  close(descriptor);
  return kept;
}
