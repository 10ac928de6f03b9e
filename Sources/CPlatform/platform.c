#define _GNU_SOURCE
#include "platform.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

int tp_rename_exclusive(const char *from, const char *to) {
  if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return -1;
  // A folder has no second name; rename replaces an empty one at most.
  struct stat status;
  if (lstat(from, &status) == 0 && S_ISDIR(status.st_mode)) return rename(from, to);
  if (link(from, to) != 0) return -1;
  return unlink(from);
}

int tp_processors(void) {
  cpu_set_t set;
  int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  return count > 0 ? count : 1;
}

uint64_t tp_file_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 256;
  return limit.rlim_cur < 1 << 20 ? limit.rlim_cur : 1 << 20;
}

int tp_is_local(int descriptor) {
  // statfs(2) and magic.h: ext2 to ext4, XFS, Btrfs, tmpfs, ramfs, F2FS, ZFS, bcachefs, JFS, ReiserFS, overlayfs,
  // SquashFS, EROFS, ISO 9660.
  static const uint32_t local[] = {0xEF53,     0x58465342, 0x9123683E, 0x01021994, 0x858458F6, 0xF2F52010, 0x2FC12FC1,
                                   0xCA451A4E, 0x3153464A, 0x52654973, 0x794C7630, 0x73717368, 0xE0F5E1E2, 0x9660};
  struct statfs status;
  if (fstatfs(descriptor, &status) != 0) return 0;
  for (size_t i = 0; i < sizeof local / sizeof *local; i++)
    if ((uint32_t)status.f_type == local[i]) return 1;
  return 0;
}
