#include "demo.h"

#define FILE_IN(name, path) __attribute__((visibility("hidden"))) extern const uint8_t tpd_begin_##name[], tpd_end_##name[];
#include "files.h"
#undef FILE_IN

static const tpd_file files[] = {
#define FILE_IN(name, path) {path, tpd_begin_##name, tpd_end_##name},
#include "files.h"
};

const tpd_file *tpd_recordings(size_t *count) {
  *count = sizeof files / sizeof *files;
  return files;
}
