#include "hdf5_shims.h"
#include "buffered_driver.h"
#include "loading.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct text {
  char *message;
  size_t size;
};

static herr_t keep(unsigned n, const H5E_error2_t *error, void *data) {
  (void)n;
  struct text *text = data;
  // Walking downwards, the last entry is the innermost: what really failed.
  if (error->desc && *error->desc) snprintf(text->message, text->size, "%s", error->desc);
  return 0;
}

// Every call of libhdf5, a close too, forgets the error before it: a failure is kept before the closes.
static _Thread_local char failure[256];

hid_t tph5_keep(hid_t status) {
  if (status < 0) {
    struct text text = {failure, sizeof failure};
    failure[0] = 0;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, keep, &text);
  }
  return status;
}

// Registered with The HDF Group: "LZ4" and "Zstandard".
#define LZ4_FILTER 32004
#define ZSTD_FILTER 32015

// libhdf5 asks that a filter exists before it creates a dataset that names it. Chunks are compressed
// by trajpack itself and written with H5Dwrite_chunk, so libhdf5 never runs these.
static size_t never_run(unsigned flags, size_t parameters, const unsigned values[], size_t bytes,
                        size_t *size, void **buffer) {
  (void)flags, (void)parameters, (void)values, (void)bytes, (void)size, (void)buffer;
  return 0;
}

static int register_filters(void) {
  static const H5Z_class2_t filters[] = {{H5Z_CLASS_T_VERS, ZSTD_FILTER, 1, 1, "zstd", NULL, NULL, never_run},
                                         {H5Z_CLASS_T_VERS, LZ4_FILTER, 1, 1, "lz4", NULL, NULL, never_run}};
  for (int i = 0; i < 2; i++)
    if (H5Zfilter_avail(filters[i].id) <= 0 && H5Zregister(filters + i) < 0) return 0;
  return 1;
}

static hid_t create(const char *path, uint64_t user_block) {
  // Before anything else: after a close that failed (a full disk), libhdf5 crashes in its exit handler.
  H5dont_atexit();
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  if (!register_filters()) return -1;
  hid_t access = H5Pcreate(H5P_FILE_ACCESS), creation = H5Pcreate(H5P_FILE_CREATE), file = -1;
  if (access >= 0 && creation >= 0 && tph5_buffered(access) >= 0 &&
      H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110) >= 0 &&
      H5Pset_small_data_block_size(access, 0) >= 0 && H5Pset_userblock(creation, user_block) >= 0 &&
      H5Pset_obj_track_times(creation, 0) >= 0)
    file = tph5_keep(H5Fcreate(path, H5F_ACC_EXCL, creation, access));
  H5Pclose(access);
  H5Pclose(creation);
  return file;
}

hid_t tph5_create(const char *path, int fd, uint64_t user_block) {
  tph5_prepare(fd);
  hid_t file = create(path, user_block);
  int left = tph5_take_prepared();
  if (left >= 0) close(left);
  return file;
}

hid_t tph5_create_group(hid_t file, const char *path) {
  hid_t creation = H5Pcreate(H5P_GROUP_CREATE), group = -1;
  if (creation >= 0 && H5Pset_obj_track_times(creation, 0) >= 0)
    group = tph5_keep(H5Gcreate2(file, path, H5P_DEFAULT, creation, H5P_DEFAULT));
  H5Pclose(creation);
  return group;
}

hid_t tph5_element(char type, size_t size) {
  switch (type) {
  case 'i':
    return size == 1 ? H5T_STD_I8LE : size == 2 ? H5T_STD_I16LE : size == 4 ? H5T_STD_I32LE : H5T_STD_I64LE;
  case 'u':
    return size == 1 ? H5T_STD_U8LE : size == 2 ? H5T_STD_U16LE : size == 4 ? H5T_STD_U32LE : H5T_STD_U64LE;
  default: return size == 4 ? H5T_IEEE_F32LE : H5T_IEEE_F64LE;
  }
}

static int set_filters(hid_t creation, tph5_filters filters) {
  // The shuffle takes its element size from the type; a row type makes it shuffle whole rows.
  if (filters.shuffle > 1 && H5Pset_shuffle(creation) < 0) return 0;
  if (filters.codec == 1) return H5Pset_deflate(creation, (unsigned)filters.level) >= 0;
  if (filters.codec == 2) {
    unsigned level = (unsigned)filters.level;
    return H5Pset_filter(creation, ZSTD_FILTER, H5Z_FLAG_OPTIONAL, 1, &level) >= 0;
  }
  // An LZ4 chunk has no checksum of its own, so HDF5's follows.
  if (filters.codec == 3)
    return H5Pset_filter(creation, LZ4_FILTER, H5Z_FLAG_OPTIONAL, 0, NULL) >= 0 && H5Pset_fletcher32(creation) >= 0;
  return 1;
}

hid_t tph5_create_dataset(hid_t file, const char *path, char type, size_t size, int rank,
                          const uint64_t *shape, int arrays, uint64_t rows, uint64_t chunk_rows, int growing,
                          tph5_filters filters) {
  hsize_t extent[H5S_MAX_RANK] = {rows}, most[H5S_MAX_RANK] = {growing ? H5S_UNLIMITED : rows},
          chunk[H5S_MAX_RANK] = {chunk_rows};
  if (rank < 0 || rank >= H5S_MAX_RANK) return -1;
  for (int i = 0; i < rank; i++) extent[i + 1] = most[i + 1] = chunk[i + 1] = shape[i];
  int outer = arrays ? 1 : 1 + rank;
  hid_t element = tph5_element(type, size), dataset = -1;
  hid_t row = rank > 0 && arrays ? H5Tarray_create2(element, (unsigned)rank, extent + 1) : H5Tcopy(element);
  hid_t space = H5Screate_simple(outer, extent, most), creation = H5Pcreate(H5P_DATASET_CREATE);
  if (row >= 0 && space >= 0 && creation >= 0 && H5Pset_chunk(creation, outer, chunk) >= 0 &&
      H5Pset_obj_track_times(creation, 0) >= 0 && H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER) >= 0 &&
      set_filters(creation, filters))
    dataset = tph5_keep(H5Dcreate2(file, path, row, space, H5P_DEFAULT, creation, H5P_DEFAULT));
  H5Tclose(row);
  H5Sclose(space);
  H5Pclose(creation);
  return dataset;
}

int tph5_set_text(hid_t object, const char *name, const char *text) {
  hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR), attribute = -1;
  size_t length = strlen(text);
  int good = type >= 0 && space >= 0 && H5Tset_size(type, length ? length : 1) >= 0 &&
             H5Tset_cset(type, H5T_CSET_UTF8) >= 0 && H5Tset_strpad(type, H5T_STR_NULLPAD) >= 0 &&
             (attribute = tph5_keep(H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT))) >= 0 &&
             tph5_keep(H5Awrite(attribute, type, length ? text : "\0")) >= 0;
  if (attribute >= 0) H5Aclose(attribute);
  H5Sclose(space);
  H5Tclose(type);
  return good ? 0 : -1;
}

void tph5_error(char *message, size_t size) {
  struct text text = {message, size};
  if (size) *message = 0;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, keep, &text);
  if (size && !*message) snprintf(message, size, "%s", failure);
  failure[0] = 0;
  H5Eclear2(H5E_DEFAULT);
}
