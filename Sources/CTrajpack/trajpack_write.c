#include "trajpack_write.h"
