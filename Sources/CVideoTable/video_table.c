// The functions that trajpack_video.h declares are written in Swift (TrajpackVideoABI); this file lets C see them.
#include "trajpack_video.h"
