// For assembler files. `TRAMPOLINE(name)` is a function that jumps to the address in the variable `tpl_at_<name>`,
// which leads to `tpl_load_first` until the library is loaded; `VARIABLE(name)` is such an address alone.
// `LOAD_FIRST(load)` is what loads: it keeps the registers that hold arguments, calls `load`, and starts the function
// again. All symbols are hidden, so that a library that is loaded does not take ours for its own.
#pragma once

#if defined(__x86_64__)
#define TRAMPOLINE(name) \
  .text; .p2align 4; .globl name; .hidden name; .type name, @function; \
  name: endbr64; leaq name(%rip), %r11; jmpq *tpl_at_##name(%rip); .size name, . - name; \
  .data; .p2align 3; .globl tpl_at_##name; .hidden tpl_at_##name; \
  tpl_at_##name: .quad tpl_load_first
#define LOAD_FIRST(load) \
  .text; .p2align 4; .type tpl_load_first, @function; \
  tpl_load_first: endbr64; pushq %rbp; movq %rsp, %rbp; \
  pushq %rdi; pushq %rsi; pushq %rdx; pushq %rcx; pushq %r8; pushq %r9; pushq %rax; pushq %r11; \
  subq $128, %rsp; \
  movups %xmm0, (%rsp); movups %xmm1, 16(%rsp); movups %xmm2, 32(%rsp); movups %xmm3, 48(%rsp); \
  movups %xmm4, 64(%rsp); movups %xmm5, 80(%rsp); movups %xmm6, 96(%rsp); movups %xmm7, 112(%rsp); \
  callq load; \
  movups (%rsp), %xmm0; movups 16(%rsp), %xmm1; movups 32(%rsp), %xmm2; movups 48(%rsp), %xmm3; \
  movups 64(%rsp), %xmm4; movups 80(%rsp), %xmm5; movups 96(%rsp), %xmm6; movups 112(%rsp), %xmm7; \
  addq $128, %rsp; \
  popq %r11; popq %rax; popq %r9; popq %r8; popq %rcx; popq %rdx; popq %rsi; popq %rdi; \
  popq %rbp; jmpq *%r11; .size tpl_load_first, . - tpl_load_first
#elif defined(__aarch64__)
#define TRAMPOLINE(name) \
  .text; .p2align 4; .globl name; .hidden name; .type name, %function; \
  name: hint #34; adrp x16, name; add x16, x16, :lo12:name; \
  adrp x17, tpl_at_##name; ldr x17, [x17, :lo12:tpl_at_##name]; br x17; .size name, . - name; \
  .data; .p2align 3; .globl tpl_at_##name; .hidden tpl_at_##name; \
  tpl_at_##name: .xword tpl_load_first
#define LOAD_FIRST(load) \
  .text; .p2align 4; .type tpl_load_first, %function; \
  tpl_load_first: hint #34; stp x29, x30, [sp, #-16]!; mov x29, sp; \
  stp x0, x1, [sp, #-16]!; stp x2, x3, [sp, #-16]!; stp x4, x5, [sp, #-16]!; stp x6, x7, [sp, #-16]!; \
  stp x8, x16, [sp, #-16]!; \
  stp q0, q1, [sp, #-32]!; stp q2, q3, [sp, #-32]!; stp q4, q5, [sp, #-32]!; stp q6, q7, [sp, #-32]!; \
  bl load; \
  ldp q6, q7, [sp], #32; ldp q4, q5, [sp], #32; ldp q2, q3, [sp], #32; ldp q0, q1, [sp], #32; \
  ldp x8, x16, [sp], #16; \
  ldp x6, x7, [sp], #16; ldp x4, x5, [sp], #16; ldp x2, x3, [sp], #16; ldp x0, x1, [sp], #16; \
  ldp x29, x30, [sp], #16; br x16; .size tpl_load_first, . - tpl_load_first
#else
#error "trampolines are written for x86-64 and 64-bit ARM"
#endif

#define VARIABLE(name) \
  .data; .p2align 3; .globl tpl_at_##name; .hidden tpl_at_##name; tpl_at_##name: .space 8

// No part of the stack is executable.
#define END_OF_TRAMPOLINES .section .note.GNU-stack, "", %progbits
