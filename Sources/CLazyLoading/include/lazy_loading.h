// Shared libraries that are loaded when one of their functions is first needed, instead of when the program starts:
// the dynamic linker takes 25 ms for the 149 libraries behind Debian's FFmpeg and libhdf5.
//
// A target that uses such libraries has three files: `functions.h` lists their functions, `trampolines.S` makes a
// symbol of each (trampolines.h), and a C file fills a `tpl_library` from the same list.
#pragma once
#include <stddef.h>

// A function or variable, and where its address goes.
typedef struct tpl_symbol {
  const char *name;
  void **address;
  int file;  // which of the library's files has it
} tpl_symbol;

typedef struct tpl_library {
  const char *purpose;       // "videos need FFmpeg 5", for errors
  const char *remedy;        // what to install
  const char *const *files;  // "own name:system's name|another name" of each in the order of loading, at most 8, then NULL
  const tpl_symbol *symbols;
  size_t count;
  int loaded;
} tpl_library;

// Loads a library unless it is loaded. Returns 1, or 0 with one sentence in `message`. A failure is tried again by the
// next call. May be called by any number of threads at once.
//
// A file of our own is looked for beside the program or library that this is part of, and in the Python package that
// the program was installed with; one of the system's where the dynamic linker looks.
int tpl_load(tpl_library *library, char *message, size_t size);

// Loads a library, or ends the process with a sentence: what a trampoline does whose library nobody has loaded.
void tpl_require(tpl_library *library);

// A file of another Python package of the same installation: from the folder of this package's libraries (`library`), or
// from that of the program (`program`, in which the folder with the packages is looked for). 1, or 0 where there is none.
int tpl_beside(const char *library, const char *program, char *path, size_t size);
