// The macros of libhdf5 as functions, and the few calls whose types Swift does not import.
#pragma once
#include "hdf5_reader.h"
#if __has_include(<hdf5.h>)
#include <hdf5.h>
#else
#include <hdf5/serial/hdf5.h>
#endif
#include <stddef.h>
#include <stdint.h>

// Loads libhdf5 unless it is loaded; the functions below need that. 1, or 0 with a sentence in `message`.
int tph5_load(char *message, size_t size);

// A file in the format of 1.10, with a user block of `user_block` bytes; chunks are allocated at the end of the file one
// by one, and no object carries a time. `fd`: the file at `path`, new and empty, open for reading and writing; it is closed
// with the result, or at once where that is negative. Its end may be written only when it is closed.
hid_t tph5_create(const char *path, int fd, uint64_t user_block);

// Whether `count` bytes at a place of such a file are these, in the file or on their way to it: 1, 0, or -1 where it
// cannot be read.
int tph5_lies(hid_t file, const void *bytes, size_t count, uint64_t offset);

// A group without times.
hid_t tph5_create_group(hid_t file, const char *path);

// Filters of a dataset. `codec`: 0 none, 1 gzip, 2 zstd, 3 lz4 with a checksum behind it.
typedef struct {
  int codec;
  int level;
  size_t shuffle;  // element size of the shuffle: 0 or 1 for none; libhdf5 takes it from the type
} tph5_filters;

// A dataset of `rows` rows of `rank` dimensions, cut into chunks of `chunk_rows`. The rows are elements of
// an array type where `arrays` says so; else the dataset itself has 1 + `rank` dimensions of plain elements.
// libhdf5's shuffle moves the bytes of whole elements, so this is what decides its element size.
// `growing` leaves the number of rows open.
// `type`: 'i', 'u' or 'f'; `size`: 1, 2, 4 or 8 bytes, little-endian.
hid_t tph5_create_dataset(hid_t file, const char *path, char type, size_t size, int rank,
                          const uint64_t *shape, int arrays, uint64_t rows, uint64_t chunk_rows, int growing,
                          tph5_filters filters);

// Of files of other software, as h5py writes them: a new file in the format of 1.8, and arrays whose first dimension
// counts rows, `chunk_rows` a chunk (0: not chunked), packed by deflate behind a shuffle. `type`: 'i', 'u', 'f', 'b' (truth
// values, an enumeration of one byte) or 't' (texts of any length, of which rows are pointers).
hid_t tph5_tree_create(const char *path);
hid_t tph5_tree_dataset(hid_t file, const char *path, char type, size_t size, int rank, const uint64_t *shape,
                        uint64_t chunk_rows, int level);
int tph5_tree_write(hid_t dataset, uint64_t first, uint64_t count, const void *rows);
int tph5_tree_set_text(hid_t object, const char *name, const char *text);
int tph5_tree_set_integer(hid_t object, const char *name, int64_t value);
int tph5_tree_set_number(hid_t object, const char *name, double value);
int tph5_tree_set_truth(hid_t object, const char *name, int value);

// A text attribute (fixed-length UTF-8).
int tph5_set_text(hid_t object, const char *name, const char *text);

// Keeps the error of a status that is negative, and the type of plain elements.
hid_t tph5_keep(hid_t status);
hid_t tph5_element(char type, size_t size);

// The innermost message of libhdf5's error stack.
void tph5_error(char *message, size_t size);
