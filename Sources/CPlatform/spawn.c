#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

#include "platform.h"

extern char **environ;

int tp_spawn(const char *program, const char *const *arguments, int channel, pid_t *pid) {
  posix_spawn_file_actions_t actions;
  int failed = posix_spawn_file_actions_init(&actions);
  if (failed) return failed;
  // Where the descriptor is 3 already, the mark to close it is taken off.
  failed = posix_spawn_file_actions_adddup2(&actions, channel, 3);
  if (!failed) failed = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  if (!failed) failed = posix_spawn_file_actions_adddup2(&actions, 2, 1);
  if (!failed) failed = posix_spawn_file_actions_addclosefrom_np(&actions, 4);
  if (!failed) failed = posix_spawn(pid, program, &actions, NULL, (char *const *)arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  return failed;
}
