#define _GNU_SOURCE
#include "platform.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/vfs.h>
#include <unistd.h>

int tp_rename_exclusive(const char *from, const char *to) {
  if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return -1;
  if (link(from, to) != 0) return -1;
  return unlink(from);
}

int tp_processors(void) {
  cpu_set_t set;
  int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  return count > 0 ? count : 1;
}

int tp_is_local(int descriptor) {
  // statfs(2): NFS, SMB, CIFS, SMB2, FUSE, Ceph, 9P, Lustre, GPFS, AFS.
  static const uint32_t remote[] = {0x6969,     0x517B,     0xFF534D42, 0xFE534D42, 0x65735546,
                                    0x00C36400, 0x01021997, 0x0BD00BD0, 0x47504653, 0x5346414F};
  struct statfs status;
  if (fstatfs(descriptor, &status) != 0) return 0;
  for (size_t i = 0; i < sizeof remote / sizeof *remote; i++)
    if ((uint32_t)status.f_type == remote[i]) return 0;
  return 1;
}
