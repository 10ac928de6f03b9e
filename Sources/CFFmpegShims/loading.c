#include "ffmpeg_shims.h"
#include "lazy_loading.h"

#if __has_include(<libavformat/avformat.h>)
enum { avutil, avcodec, avformat, swscale };

#define FUNCTION(library, name) extern void *tpl_at_##name;
#include "functions.h"
#undef FUNCTION

static const tpl_symbol symbols[] = {
#define FUNCTION(library, name) {#name, &tpl_at_##name, library},
#include "functions.h"
};

#define FILE_OF(name, major) "lib" name "-trajpack.so." AV_STRINGIFY(major) ":lib" name ".so." AV_STRINGIFY(major)
static const char *const files[] = {
    [avutil] = FILE_OF("avutil", LIBAVUTIL_VERSION_MAJOR),
    [avcodec] = FILE_OF("avcodec", LIBAVCODEC_VERSION_MAJOR),
    [avformat] = FILE_OF("avformat", LIBAVFORMAT_VERSION_MAJOR),
    [swscale] = FILE_OF("swscale", LIBSWSCALE_VERSION_MAJOR),
    NULL,
};

static tpl_library ffmpeg = {
    .purpose = "videos need FFmpeg's libraries",
    .remedy = "install libavcodec" AV_STRINGIFY(LIBAVCODEC_VERSION_MAJOR) ", libavformat" AV_STRINGIFY(
        LIBAVFORMAT_VERSION_MAJOR) " and libswscale" AV_STRINGIFY(LIBSWSCALE_VERSION_MAJOR) " (with apt-get on Debian "
        "and Ubuntu), or take trajpack's wheel, which has them",
    .files = files,
    .symbols = symbols,
    .count = sizeof symbols / sizeof *symbols,
};

int tpv_load(char *message, size_t size) { return tpl_load(&ffmpeg, message, size); }

// What trampolines.S calls.
__attribute__((visibility("hidden"))) void tpv_require(void) { tpl_require(&ffmpeg); }
#endif
