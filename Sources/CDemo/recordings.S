// The paths are looked for in fixtures/wildworld/data_part1, which Package.swift names as a folder of headers.
#define FILE_IN(name, path) \
  .globl tpd_begin_##name; .hidden tpd_begin_##name; .globl tpd_end_##name; .hidden tpd_end_##name; \
  tpd_begin_##name: .incbin path; tpd_end_##name: .byte 0;
.section .rodata
#include "files.h"
.section .note.GNU-stack, "", %progbits
