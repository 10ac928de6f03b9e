// Included where a file of this target uses libhdf5: its variables are read by the addresses that loading has found.
#pragma once
#include "hdf5_shims.h"

#define FUNCTION(name)
#define DATA(name) __attribute__((visibility("hidden"))) extern hid_t *tpl_at_##name;
#include "functions.h"
#undef FUNCTION
#undef DATA

#define H5E_ERR_CLS_g (*tpl_at_H5E_ERR_CLS_g)
#define H5E_IO_g (*tpl_at_H5E_IO_g)
#define H5E_WRITEERROR_g (*tpl_at_H5E_WRITEERROR_g)
#define H5P_CLS_DATASET_ACCESS_ID_g (*tpl_at_H5P_CLS_DATASET_ACCESS_ID_g)
#define H5P_CLS_DATASET_CREATE_ID_g (*tpl_at_H5P_CLS_DATASET_CREATE_ID_g)
#define H5P_CLS_FILE_ACCESS_ID_g (*tpl_at_H5P_CLS_FILE_ACCESS_ID_g)
#define H5P_CLS_FILE_CREATE_ID_g (*tpl_at_H5P_CLS_FILE_CREATE_ID_g)
#define H5P_CLS_GROUP_CREATE_ID_g (*tpl_at_H5P_CLS_GROUP_CREATE_ID_g)
#define H5T_C_S1_g (*tpl_at_H5T_C_S1_g)
#define H5T_IEEE_F32LE_g (*tpl_at_H5T_IEEE_F32LE_g)
#define H5T_IEEE_F64LE_g (*tpl_at_H5T_IEEE_F64LE_g)
#define H5T_STD_I16LE_g (*tpl_at_H5T_STD_I16LE_g)
#define H5T_STD_I32LE_g (*tpl_at_H5T_STD_I32LE_g)
#define H5T_STD_I64LE_g (*tpl_at_H5T_STD_I64LE_g)
#define H5T_STD_I8LE_g (*tpl_at_H5T_STD_I8LE_g)
#define H5T_STD_REF_OBJ_g (*tpl_at_H5T_STD_REF_OBJ_g)
#define H5T_STD_U16LE_g (*tpl_at_H5T_STD_U16LE_g)
#define H5T_STD_U32LE_g (*tpl_at_H5T_STD_U32LE_g)
#define H5T_STD_U64LE_g (*tpl_at_H5T_STD_U64LE_g)
#define H5T_STD_U8LE_g (*tpl_at_H5T_STD_U8LE_g)
