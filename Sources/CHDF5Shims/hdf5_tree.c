#include "hdf5_shims.h"
#include "loading.h"
#include <string.h>

hid_t tph5_tree_create(const char *path) {
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  hid_t access = H5Pcreate(H5P_FILE_ACCESS), creation = H5Pcreate(H5P_FILE_CREATE), file = -1;
  // The format of 1.8: attributes of more than 64 KiB, and every reader of today.
  if (access >= 0 && creation >= 0 && H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V110) >= 0 &&
      H5Pset_obj_track_times(creation, 0) >= 0)
    file = tph5_keep(H5Fcreate(path, H5F_ACC_EXCL, creation, access));
  H5Pclose(access);
  H5Pclose(creation);
  return file;
}

// As h5py writes truth values.
static hid_t truth(void) {
  hid_t type = H5Tenum_create(H5T_STD_I8LE);
  signed char no = 0, yes = 1;
  if (type >= 0 && H5Tenum_insert(type, "FALSE", &no) >= 0 && H5Tenum_insert(type, "TRUE", &yes) >= 0) return type;
  if (type >= 0) H5Tclose(type);
  return -1;
}

static hid_t text_type(void) {
  hid_t type = H5Tcopy(H5T_C_S1);
  if (type >= 0 && H5Tset_size(type, H5T_VARIABLE) >= 0 && H5Tset_cset(type, H5T_CSET_UTF8) >= 0) return type;
  if (type >= 0) H5Tclose(type);
  return -1;
}

hid_t tph5_tree_dataset(hid_t file, const char *path, char type, size_t size, int rank, const uint64_t *shape,
                        uint64_t chunk_rows, int level) {
  hsize_t extent[H5S_MAX_RANK], chunk[H5S_MAX_RANK];
  if (rank < 1 || rank > H5S_MAX_RANK) return -1;
  for (int i = 0; i < rank; i++) extent[i] = chunk[i] = shape[i];
  chunk[0] = chunk_rows;
  hid_t element = type == 'b' ? truth() : type == 't' ? text_type() : H5Tcopy(tph5_element(type, size));
  hid_t space = H5Screate_simple(rank, extent, NULL), creation = H5Pcreate(H5P_DATASET_CREATE), dataset = -1;
  int good = element >= 0 && space >= 0 && creation >= 0 && H5Pset_obj_track_times(creation, 0) >= 0;
  if (good && chunk_rows > 0)
    good = H5Pset_chunk(creation, rank, chunk) >= 0 && H5Pset_shuffle(creation) >= 0 &&
           H5Pset_deflate(creation, (unsigned)level) >= 0;
  if (good) dataset = tph5_keep(H5Dcreate2(file, path, element, space, H5P_DEFAULT, creation, H5P_DEFAULT));
  H5Tclose(element);
  H5Sclose(space);
  H5Pclose(creation);
  return dataset;
}

int tph5_tree_write(hid_t dataset, uint64_t first, uint64_t count, const void *rows) {
  hsize_t start[H5S_MAX_RANK] = {first}, extent[H5S_MAX_RANK];
  hid_t space = H5Dget_space(dataset), type = H5Dget_type(dataset), memory = -1;
  int rank = space >= 0 ? H5Sget_simple_extent_dims(space, extent, NULL) : -1;
  int good = rank > 0 && type >= 0;
  if (good) {
    extent[0] = count;
    memory = H5Screate_simple(rank, extent, NULL);
    good = memory >= 0 && H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, extent, NULL) >= 0 &&
           tph5_keep(H5Dwrite(dataset, type, memory, space, H5P_DEFAULT, rows)) >= 0;
  }
  if (memory >= 0) H5Sclose(memory);
  if (type >= 0) H5Tclose(type);
  if (space >= 0) H5Sclose(space);
  return good ? 0 : -1;
}

static int set(hid_t object, const char *name, hid_t type, const void *value) {
  hid_t space = H5Screate(H5S_SCALAR), attribute = -1;
  int good = type >= 0 && space >= 0 &&
             (attribute = tph5_keep(H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT))) >= 0 &&
             tph5_keep(H5Awrite(attribute, type, value)) >= 0;
  if (attribute >= 0) H5Aclose(attribute);
  H5Sclose(space);
  return good ? 0 : -1;
}

int tph5_tree_set_text(hid_t object, const char *name, const char *text) {
  hid_t type = text_type();
  int status = set(object, name, type, &text);
  H5Tclose(type);
  return status;
}

int tph5_tree_set_integer(hid_t object, const char *name, int64_t value) {
  return set(object, name, H5T_STD_I64LE, &value);
}

int tph5_tree_set_number(hid_t object, const char *name, double value) {
  return set(object, name, H5T_IEEE_F64LE, &value);
}

int tph5_tree_set_truth(hid_t object, const char *name, int value) {
  hid_t type = truth();
  signed char byte = value != 0;
  int status = set(object, name, type, &byte);
  H5Tclose(type);
  return status;
}
