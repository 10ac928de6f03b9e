#include "platform.h"
#include <pthread.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static uint64_t generation;

static void before(void) { pthread_mutex_lock(&gate); }
static void in_parent(void) { pthread_mutex_unlock(&gate); }
static void in_child(void) {
  __atomic_add_fetch(&generation, 1, __ATOMIC_RELAXED);
  pthread_mutex_unlock(&gate);
}

static void install(void) { pthread_atfork(before, in_parent, in_child); }

void tp_fork_install(void) { pthread_once(&once, install); }
uint64_t tp_fork_generation(void) { return __atomic_load_n(&generation, __ATOMIC_RELAXED); }
void tp_fork_gate_enter(void) { pthread_mutex_lock(&gate); }
void tp_fork_gate_leave(void) { pthread_mutex_unlock(&gate); }
