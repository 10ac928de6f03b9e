// The recordings of `trajpack demo`: the files of fixtures/wildworld/data_part1 as they are, inside the program.
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef struct tpd_file {
  const char *path;  // "000001/rgb.mp4"
  const uint8_t *begin, *end;
} tpd_file;

// All of them; `count` says how many.
const tpd_file *tpd_recordings(size_t *count);
