#define _GNU_SOURCE
#include "hdf5_reader.h"
#include "loading.h"
#if __has_include(<H5FDdevelop.h>)
#include <H5FDdevelop.h>
#elif __has_include(<hdf5/serial/H5FDdevelop.h>)
#include <hdf5/serial/H5FDdevelop.h>
#endif
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

// MARK: processes

int tph5_connection(int ends[2]) { return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends); }

int tph5_spawn(const char *path, const char *argument, int control) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  if (posix_spawn_file_actions_init(&actions) != 0) return -1;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  pid_t pid = -1;
  char *arguments[] = {"trajpack", (char *)argument, NULL};
  // It looks for libhdf5 where this process does.
  char libraries[4096] = "LD_LIBRARY_PATH=";
  const char *folders = getenv("LD_LIBRARY_PATH");
  if (folders && strlen(folders) < sizeof libraries - strlen(libraries)) strcat(libraries, folders);
  char *environment[] = {"HDF5_PLUGIN_PRELOAD=::", "HDF5_USE_FILE_LOCKING=FALSE", "SWIFT_BACKTRACE=enable=no",
                         folders ? libraries : NULL, NULL};
  // Where the descriptor is 3 already, the copy would keep its mark to be closed.
  int from = control == 3 ? dup(control) : control;
  int failed = posix_spawn_file_actions_adddup2(&actions, from, 3) ||
               posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", 0, 0) ||
               posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", 1, 0) ||
               posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", 1, 0) ||
               posix_spawn_file_actions_addclosefrom_np(&actions, 4) ||
               posix_spawn(&pid, path, &actions, &attributes, arguments, environment);
  if (from != control) close(from);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return failed ? -1 : pid;
}

int tph5_send_task(int control, tph5_task task) {
  union {
    char bytes[CMSG_SPACE(2 * sizeof(int))];
    struct cmsghdr align;
  } space = {0};
  struct iovec part = {&task.memory, sizeof task.memory};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = space.bytes,
                           .msg_controllen = sizeof space.bytes};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(2 * sizeof(int));
  memcpy(CMSG_DATA(header), (int[]){task.file, task.channel}, 2 * sizeof(int));
  ssize_t sent;
  do sent = sendmsg(control, &message, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent == (ssize_t)sizeof task.memory ? 0 : -1;
}

static int receive(tph5_task *task) {
  union {
    char bytes[CMSG_SPACE(2 * sizeof(int))];
    struct cmsghdr align;
  } space = {0};
  struct iovec part = {&task->memory, sizeof task->memory};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = space.bytes,
                           .msg_controllen = sizeof space.bytes};
  ssize_t got;
  do got = recvmsg(3, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL);
  while (got < 0 && errno == EINTR);
  struct cmsghdr *header = got == (ssize_t)sizeof task->memory ? CMSG_FIRSTHDR(&message) : NULL;
  if (!header || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(2 * sizeof(int))) return -1;
  int both[2];
  memcpy(both, CMSG_DATA(header), sizeof both);
  task->file = both[0];
  task->channel = both[1];
  return 0;
}

tph5_task tph5_next_task(void) {
  signal(SIGCHLD, SIG_IGN);  // nobody waits for those that are thrown away
  signal(SIGINT, SIG_IGN);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  tph5_task task;
  while (receive(&task) == 0) {
    if (fork() == 0) {
      signal(SIGINT, SIG_DFL);
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      close(3);
      return task;
    }
    close(task.file);
    close(task.channel);
  }
  _exit(0);
}

// MARK: confinement

// linux/landlock.h of the kernel that the program runs on, not of the one that it was built on.
struct landlock_ruleset {
  uint64_t files;
  uint64_t network;
};

int tph5_landlock(void) {
  long version = syscall(444, NULL, 0, 1u);  // landlock_create_ruleset, its version
  return version > 0 ? (int)version : 0;
}

int tph5_confine(tph5_task task) {
  struct rlimit none = {0, 0}, seconds = {3600, 3600};
  struct rlimit memory = {task.memory, task.memory}, files = {64, 64};
  if (setrlimit(RLIMIT_CORE, &none) || setrlimit(RLIMIT_FSIZE, &none) || setrlimit(RLIMIT_CPU, &seconds) ||
      setrlimit(RLIMIT_DATA, &memory) || setrlimit(RLIMIT_NOFILE, &files) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    return -1;
  int version = tph5_landlock();
  if (version == 0) return 0;
  // All rights over files that a version knows, and none of them granted anywhere; from version 4 on the network, too.
  static const uint64_t rights[] = {0, 0x1FFF, 0x3FFF, 0x7FFF, 0x7FFF, 0xFFFF};
  struct landlock_ruleset rules = {rights[version > 5 ? 5 : version], version >= 4 ? 3 : 0};
  int ruleset = (int)syscall(444, &rules, version >= 4 ? sizeof rules : sizeof rules.files, 0u);
  if (ruleset < 0) return 0;
  long failed = syscall(446, ruleset, 0u);  // landlock_restrict_self
  close(ruleset);
  return failed ? 0 : version;
}

void tph5_allow(uint64_t milliseconds) {
  struct itimerval time = {{0, 0}, {(time_t)(milliseconds / 1000), (suseconds_t)(milliseconds % 1000 * 1000)}};
  setitimer(ITIMER_PROF, &time, NULL);
}

// MARK: a file that is a descriptor

typedef struct {
  H5FD_t shared;  // libhdf5's part, which must be the first
  int descriptor;
  haddr_t end, allocated;
} file_t;

static int next_descriptor = -1;

static H5FD_t *file_open(const char *name, unsigned flags, hid_t access, haddr_t most) {
  (void)name, (void)access, (void)most;
  struct stat status;
  if (flags & (H5F_ACC_RDWR | H5F_ACC_CREAT) || next_descriptor < 0 || fstat(next_descriptor, &status)) return NULL;
  file_t *file = calloc(1, sizeof *file);
  if (!file) return NULL;
  file->descriptor = next_descriptor;
  file->end = (haddr_t)status.st_size;
  next_descriptor = -1;  // a second file, by an external link, finds none
  return &file->shared;
}

static herr_t file_close(H5FD_t *shared) {
  free(shared);
  return 0;
}

static haddr_t file_get_eoa(const H5FD_t *shared, H5FD_mem_t type) {
  (void)type;
  return ((const file_t *)shared)->allocated;
}

static herr_t file_set_eoa(H5FD_t *shared, H5FD_mem_t type, haddr_t address) {
  (void)type;
  ((file_t *)shared)->allocated = address;
  return 0;
}

static haddr_t file_get_eof(const H5FD_t *shared, H5FD_mem_t type) {
  (void)type;
  return ((const file_t *)shared)->end;
}

static herr_t file_query(const H5FD_t *shared, unsigned long *flags) {
  (void)shared;
  if (flags) *flags = H5FD_FEAT_DATA_SIEVE | H5FD_FEAT_ACCUMULATE_METADATA;
  return 0;
}

static herr_t file_read(H5FD_t *shared, H5FD_mem_t type, hid_t transfer, haddr_t at, size_t count, void *buffer) {
  (void)type, (void)transfer;
  file_t *file = (file_t *)shared;
  if (at == HADDR_UNDEF || at > (haddr_t)INT64_MAX - count) return -1;
  char *to = buffer;
  while (count > 0) {
    ssize_t got = pread(file->descriptor, to, count, (off_t)at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) {  // behind the end there are zeros, as in libhdf5's own driver
      memset(to, 0, count);
      return 0;
    }
    to += got;
    at += (haddr_t)got;
    count -= (size_t)got;
  }
  return 0;
}

static herr_t file_write(H5FD_t *shared, H5FD_mem_t type, hid_t transfer, haddr_t at, size_t count,
                         const void *buffer) {
  (void)shared, (void)type, (void)transfer, (void)at, (void)count, (void)buffer;
  return -1;
}

static const H5FD_class_t driver = {
#ifdef H5FD_CLASS_VERSION
    .version = H5FD_CLASS_VERSION,
    .value = (H5FD_class_value_t)769,  // of those left for drivers that are not registered
#endif
    .name = "trajpack-descriptor",
    .maxaddr = INT64_MAX,
    .fc_degree = H5F_CLOSE_WEAK,
    .open = file_open,
    .close = file_close,
    .query = file_query,
    .get_eoa = file_get_eoa,
    .set_eoa = file_set_eoa,
    .get_eof = file_get_eof,
    .read = file_read,
    .write = file_write,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

hid_t tph5_open_descriptor(int descriptor) {
  H5dont_atexit();
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  H5PLset_loading_state(0);
  tph5_register_filters();
  hid_t id = H5FDregister(&driver), access = H5Pcreate(H5P_FILE_ACCESS), file = -1;
  next_descriptor = descriptor;
  if (id >= 0 && access >= 0 && H5Pset_driver(access, id, NULL) >= 0) file = H5Fopen("file", H5F_ACC_RDONLY, access);
  next_descriptor = -1;
  if (access >= 0) H5Pclose(access);
  return file;
}

// MARK: macros and objects

hid_t tph5_memory_type(char type, size_t size) {
  switch (type) {
    case 'i': return size == 1 ? H5T_STD_I8LE : size == 2 ? H5T_STD_I16LE : size == 4 ? H5T_STD_I32LE : H5T_STD_I64LE;
    case 'u': return size == 1 ? H5T_STD_U8LE : size == 2 ? H5T_STD_U16LE : size == 4 ? H5T_STD_U32LE : H5T_STD_U64LE;
    default: return size == 4 ? H5T_IEEE_F32LE : H5T_IEEE_F64LE;
  }
}

hid_t tph5_memory_text(hid_t type) {
  hid_t text = H5Tcopy(H5T_C_S1);
  if (text >= 0) {
    H5Tset_size(text, H5T_VARIABLE);
    H5Tset_cset(text, H5Tget_cset(type));
  }
  return text;
}

hid_t tph5_memory_reference(void) { return H5T_STD_REF_OBJ; }

hid_t tph5_follow(hid_t file, const void *reference) {
  return H5Rdereference2(file, H5P_DEFAULT, H5R_OBJECT, reference);
}

long tph5_reference_name(hid_t file, const void *reference, char *name, size_t size) {
  return H5Rget_name(file, H5R_OBJECT, reference, name, size);
}

int tph5_object(hid_t object, uint64_t *address, char *kind) {
  H5O_info_t info;
  if (H5Oget_info2(object, &info, H5O_INFO_BASIC) < 0) return -1;
  *address = info.addr;
  *kind = info.type == H5O_TYPE_GROUP ? 'g' : info.type == H5O_TYPE_DATASET ? 'd' : 'x';
  return 0;
}

hid_t tph5_dataset_access(size_t bytes) {
  hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
  size_t cache = 2 * bytes > 8 << 20 ? 2 * bytes : 8 << 20;
  if (access >= 0) H5Pset_chunk_cache(access, 521, cache, 1.0);
  return access;
}
