#define _GNU_SOURCE
#include "lazy_loading.h"
#include <dlfcn.h>
#include <glob.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Local: other libraries of the process, such as another libhdf5, do not see these symbols.
enum { FLAGS = RTLD_LAZY | RTLD_LOCAL };

// Where libraries of our own are, as seen from the folder of the program or library that this is part of: there, or in the
// package that came with the program (pip puts it into lib or lib64 beside bin; with --target, beside bin itself).
static const char *const folders[] = {"", "../lib*/python3*/*-packages/trajpack/_native/", "../trajpack/_native/"};

// The folder of the file that this code lies in, with a slash at its end; empty where it is unknown.
static void own_folder(char *folder, size_t size) {
  char path[PATH_MAX];
  Dl_info info;
  ssize_t length = 0;
  folder[0] = 0;
  // A program's name as it was called may be a link or have no folder at all.
  if (dladdr(folders, &info) && info.dli_fname && strchr(info.dli_fname, '/') && realpath(info.dli_fname, path))
    length = (ssize_t)strlen(path);
  else
    length = readlink("/proc/self/exe", path, sizeof path - 1);
  if (length <= 0) return;
  path[length] = 0;
  char *end = strrchr(path, '/');
  if (!end || (size_t)(end - path) + 2 > size) return;
  end[1] = 0;
  strcpy(folder, path);
}

// Copies text, with a backslash before what a pattern of glob takes for something else.
static void escape(char *out, size_t size, const char *text) {
  for (; *text && size > 2; text++) {
    if (strchr("*?[\\", *text)) *out++ = '\\', size--;
    *out++ = *text, size--;
  }
  *out = 0;
}

static void *open_own(const char *folder, const char *name, int length) {
  char pattern[2 * PATH_MAX + 128], escaped[2 * PATH_MAX];
  void *handle = NULL;
  escape(escaped, sizeof escaped, folder);
  for (size_t i = 0; folder[0] && !handle && i < sizeof folders / sizeof *folders; i++) {
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s%s%.*s", escaped, folders[i], length, name);
    if (glob(pattern, 0, NULL, &found) == 0) {
      for (size_t k = 0; !handle && k < found.gl_pathc; k++) handle = dlopen(found.gl_pathv[k], FLAGS);
      globfree(&found);
    }
  }
  return handle;
}

// Opens the first that can be opened of "own:system|system"; else the first system library's error is in `message`.
static void *open_any(const char *folder, const char *names, char *message, size_t size) {
  int length = (int)strcspn(names, ":");
  void *handle = open_own(folder, names, length);
  message[0] = 0;
  for (const char *name = names + length; !handle && *name; name += length) {
    char copy[128];
    length = (int)strcspn(++name, "|");
    snprintf(copy, sizeof copy, "%.*s", length, name);
    handle = dlopen(copy, FLAGS);
    const char *why = handle ? NULL : dlerror();
    if (!message[0]) snprintf(message, size, "%s", why ? why : "it cannot be loaded");
  }
  return handle;
}

static int load(tpl_library *library, char *message, size_t size) {
  enum { MOST = 8 };
  void *handles[MOST] = {NULL};
  char folder[PATH_MAX], why[512] = "";
  own_folder(folder, sizeof folder);
  for (int i = 0; i < MOST && library->files[i]; i++) {
    handles[i] = open_any(folder, library->files[i], why, sizeof why);
    if (!handles[i]) {
      snprintf(message, size, "%s: %s; %s", library->purpose, why, library->remedy);
      return 0;
    }
  }
  for (size_t i = 0; i < library->count; i++) {
    const tpl_symbol *symbol = &library->symbols[i];
    if (!dlsym(handles[symbol->file], symbol->name)) {
      snprintf(message, size, "%s: the one here has no %s; %s", library->purpose, symbol->name, library->remedy);
      return 0;
    }
  }
  // Only now, so that a library is there as a whole or not at all.
  for (size_t i = 0; i < library->count; i++) {
    const tpl_symbol *symbol = &library->symbols[i];
    __atomic_store_n(symbol->address, dlsym(handles[symbol->file], symbol->name), __ATOMIC_RELAXED);
  }
  return 1;
}

int tpl_load(tpl_library *library, char *message, size_t size) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  if (__atomic_load_n(&library->loaded, __ATOMIC_ACQUIRE)) return 1;
  pthread_mutex_lock(&lock);
  int loaded = library->loaded || load(library, message, size);
  if (loaded) __atomic_store_n(&library->loaded, 1, __ATOMIC_RELEASE);
  pthread_mutex_unlock(&lock);
  return loaded;
}

void tpl_require(tpl_library *library) {
  char message[1024];
  if (tpl_load(library, message, sizeof message)) return;
  fprintf(stderr, "error: %s\n", message);
  exit(3);
}

int tpl_beside(const char *library, const char *program, char *path, size_t size) {
  char folder[PATH_MAX], escaped[2 * PATH_MAX], pattern[3 * PATH_MAX];
  own_folder(folder, sizeof folder);
  if (!folder[0]) return 0;
  escape(escaped, sizeof escaped, folder);
  const char *const between[] = {"", "../lib*/python3*/*-packages/trajpack/"};
  const char *const names[] = {library, program};
  for (size_t i = 0; i < 2; i++) {
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s%s%s", escaped, between[i], names[i]);
    if (glob(pattern, 0, NULL, &found)) continue;
    int fits = found.gl_pathc > 0 && strlen(found.gl_pathv[0]) < size;
    if (fits) strcpy(path, found.gl_pathv[0]);
    globfree(&found);
    if (fits) return 1;
  }
  return 0;
}
