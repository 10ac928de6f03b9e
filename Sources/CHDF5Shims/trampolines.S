#include "trampolines.h"

#define FUNCTION(name) TRAMPOLINE(name);
#define DATA(name) VARIABLE(name);
#include "functions.h"
LOAD_FIRST(tph5_require)
END_OF_TRAMPOLINES
