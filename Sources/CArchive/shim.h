#ifndef UNIONFSD_CARCHIVE_SHIM_H
#define UNIONFSD_CARCHIVE_SHIM_H
#include <archive.h>
#include <archive_entry.h>
#endif
