#pragma once
#include "hdf5_shims.h"

// Has files that are made with these access properties written by the driver that keeps their end in memory.
int tph5_buffered(hid_t access);

// The next file that this thread has libhdf5 make is this one, which is new and empty. The driver closes it.
void tph5_prepare(int fd);
// What libhdf5 did not ask for; -1 where it did. Its caller closes it.
int tph5_take_prepared(void);
