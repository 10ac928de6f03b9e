#include "trampolines.h"

#if __has_include(<libavformat/version.h>)
#define FUNCTION(library, name) TRAMPOLINE(name);
#include "functions.h"
LOAD_FIRST(tpv_require)
#endif
END_OF_TRAMPOLINES
