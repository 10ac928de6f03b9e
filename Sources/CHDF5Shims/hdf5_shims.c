#include "hdf5_shims.h"
