#include "trampolines.h"

#define FUNCTION(name) TRAMPOLINE(name);
#include "functions.h"
LOAD_FIRST(tpr_require)
END_OF_TRAMPOLINES
