#pragma once
#include "hdf5_shims.h"

// Has files that are made with these access properties written by the driver that keeps their end in memory.
int tph5_buffered(hid_t access);
