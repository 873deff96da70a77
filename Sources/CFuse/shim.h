#ifndef UNIONFSD_CFUSE_SHIM_H
#define UNIONFSD_CFUSE_SHIM_H
/* The one place where the libfuse API version is pinned: 3.14, as Debian 12 and Ubuntu 24.04 ship it. */
#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>
#endif
