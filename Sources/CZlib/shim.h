#ifndef UNIONFSD_CZLIB_SHIM_H
#define UNIONFSD_CZLIB_SHIM_H
#include <zlib.h>
/* A macro in zlib.h. 47: gzip or zlib, as the header says, with its checksum compared. */
static inline int cz_inflate_begin(z_stream *s) { return inflateInit2(s, 47); }
#endif
