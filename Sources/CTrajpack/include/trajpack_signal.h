#ifndef TRAJPACK_SIGNAL_H
#define TRAJPACK_SIGNAL_H
#include <stdint.h>
#endif
