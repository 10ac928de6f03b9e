// glibc 2.35 has a new version of hypot and hypotf, which differs from the old one in how it sets errno, and the linker
// takes the newest: the only two functions that would ask for more than glibc 2.34. Here they are the old ones, for all
// of the program or library that this is linked into, the Swift runtime too.
#if defined(__x86_64__)
#define OLDEST "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define OLDEST "GLIBC_2.17"
#endif

#ifdef OLDEST
__asm__(".symver tp_old_hypot, hypot@" OLDEST);
__asm__(".symver tp_old_hypotf, hypotf@" OLDEST);
double tp_old_hypot(double x, double y);
float tp_old_hypotf(float x, float y);

__attribute__((visibility("hidden"))) double hypot(double x, double y) { return tp_old_hypot(x, y); }
__attribute__((visibility("hidden"))) float hypotf(float x, float y) { return tp_old_hypotf(x, y); }
#endif
