// What the reader of foreign HDF5 files needs of the system and of libhdf5: a process of its own for each file that
// holds nothing but the file, and the macros of libhdf5 as functions.
#pragma once
#if __has_include(<hdf5.h>)
#include <hdf5.h>
#else
#include <hdf5/serial/hdf5.h>
#endif
#include <stddef.h>
#include <stdint.h>

// What a process may be given with a message: the file, the channel to answer on, the bytes of memory it may have.
typedef struct {
  int file;
  int channel;
  uint64_t memory;
} tph5_task;

// Starts program `path` with one argument and `control` as its descriptor 3, in a process group of its own so that
// Ctrl-C does not reach it. All other descriptors are closed; what libhdf5 prints
// when it dies is heard by nobody. Returns its pid, or -1.
int tph5_spawn(const char *path, const char *argument, int control);

// Two ends of a connection, or -1.
int tph5_connection(int ends[2]);

// Sends a task; -1 where the other side is gone.
int tph5_send_task(int control, tph5_task task);

// Forks a process for each task that comes over descriptor 3, and returns in each of them; ends the process when the
// connection is closed.
tph5_task tph5_next_task(void);

// Takes everything from this process but its two descriptors: memory beyond `memory` bytes, files to write, core
// dumps, new privileges, and with Landlock all paths and the network. Returns the version of Landlock, 0 where the
// kernel has none, -1 where limits could not be set.
int tph5_confine(tph5_task task);

// The version of Landlock of the kernel, 0 for none.
int tph5_landlock(void);

// Ends the process by a signal unless it is called again before so many milliseconds of CPU time.
void tph5_allow(uint64_t milliseconds);

// Opens the HDF5 file of a descriptor for reading. No plug-in is loaded.
hid_t tph5_open_descriptor(int descriptor);

// The type in memory: little-endian 'i', 'u' or 'f' of `size` bytes.
hid_t tph5_memory_type(char type, size_t size);

// Variable text in the character set of `type`.
hid_t tph5_memory_text(hid_t type);

// References to objects.
hid_t tph5_memory_reference(void);

// Follows a reference: the open object, or negative.
hid_t tph5_follow(hid_t file, const void *reference);

// The name of the object that a reference leads to; its length, or negative.
long tph5_reference_name(hid_t file, const void *reference, char *name, size_t size);

// The place of an object, its kind ('g', 'd' or 'x') and how many hard links lead to it; negative where it is none.
int tph5_object(hid_t object, uint64_t *address, char *kind);

// Property lists for reading a dataset whose chunks have `bytes` bytes.
hid_t tph5_dataset_access(size_t bytes);

// Makes the filters lzf, lz4 and zstd known for reading.
void tph5_register_filters(void);
