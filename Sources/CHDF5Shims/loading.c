#include "hdf5_shims.h"
#include "lazy_loading.h"
#include <stdio.h>

#define FUNCTION(name) extern void *tpl_at_##name;
#define DATA(name) extern void *tpl_at_##name;
#include "functions.h"
#undef FUNCTION
#undef DATA

static const tpl_symbol symbols[] = {
#define FUNCTION(name) {#name, &tpl_at_##name, 0},
#define DATA(name) {#name, &tpl_at_##name, 0},
#include "functions.h"
};

#if H5_VERS_MINOR == 10
#define ABI "103"
#elif H5_VERS_MINOR == 12
#define ABI "200"
#else
#define ABI "310"
#endif
static const char *const files[] = {
    "libhdf5-trajpack.so." ABI ":libhdf5_serial.so." ABI "|libhdf5.so." ABI,
    NULL,
};

#define TEXT(x) TEXT_OF(x)
#define TEXT_OF(x) #x
#define VERSION TEXT(H5_VERS_MAJOR) "." TEXT(H5_VERS_MINOR) "." TEXT(H5_VERS_RELEASE)
#define PURPOSE "writing, and reading HDF5 of other software, need libhdf5"
#define REMEDY \
  "install libhdf5 " VERSION " (on Debian and Ubuntu: apt-get install libhdf5-" ABI "-1), or take trajpack's wheel, " \
  "which has it"

static tpl_library hdf5 = {
    .purpose = PURPOSE,
    .remedy = REMEDY,
    .files = files,
    .symbols = symbols,
    .count = sizeof symbols / sizeof *symbols,
};

int tph5_load(char *message, size_t size) {
  unsigned major, minor, release;
  if (!tpl_load(&hdf5, message, size)) return 0;
  // Before any other call, which would make the library close its files when the process ends: one whose closing has
  // failed kills the process then.
  H5dont_atexit();
  // libhdf5 ends the process where its release is another than that of the headers.
  if (H5get_libversion(&major, &minor, &release) >= 0 && major == H5_VERS_MAJOR && minor == H5_VERS_MINOR &&
      release == H5_VERS_RELEASE)
    return 1;
  snprintf(message, size, PURPOSE ": the one here is %u.%u.%u; " REMEDY, major, minor, release);
  return 0;
}

// What trampolines.S calls.
__attribute__((visibility("hidden"))) void tph5_require(void) { tpl_require(&hdf5); }
