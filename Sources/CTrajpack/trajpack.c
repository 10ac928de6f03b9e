// The functions that trajpack.h declares are written in Swift (TrajpackABI); this file lets C see them.
#include "trajpack.h"
