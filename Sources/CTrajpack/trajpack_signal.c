#include "trajpack_signal.h"
