// What a library with threads needs to survive fork: a count of the forks behind this process, and a
// gate that fork waits for, so that no child is born while a lock of ours is held for long.
#pragma once
#include <stdint.h>

// Registers the handlers (once a process; later calls do nothing).
void tp_fork_install(void);
// The number of forks between the process that installed the handlers and this one.
uint64_t tp_fork_generation(void);
// Nothing forks between these two; calls do not nest.
void tp_fork_gate_enter(void);
void tp_fork_gate_leave(void);

// A flag that threads set and look at without a lock.
static inline uint8_t tp_flag_look(const uint8_t *flag) { return __atomic_load_n(flag, __ATOMIC_RELAXED); }
static inline void tp_flag_set(uint8_t *flag) { __atomic_store_n(flag, 1, __ATOMIC_RELAXED); }
