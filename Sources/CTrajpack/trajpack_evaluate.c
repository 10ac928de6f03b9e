#include "trajpack_evaluate.h"
