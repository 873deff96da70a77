#ifndef UNIONFSD_CFUSE_SHIM_H
#define UNIONFSD_CFUSE_SHIM_H
/* The one place where the libfuse API version is pinned: 3.14, as Debian 12 and Ubuntu 24.04 ship it. */
#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

/*
 * From libfuse 3.17 on these two are macros around versioned symbols, which Swift does not import. Called from C they
 * are right with every libfuse.
 */
static inline struct fuse_session *cf_session_new(int argc, char **argv, const struct fuse_lowlevel_ops *ops, void *userdata)
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct fuse_session *session = fuse_session_new(&args, ops, sizeof *ops, userdata);
	fuse_opt_free_args(&args);
	return session;
}
static inline int cf_session_custom_io(struct fuse_session *session, const struct fuse_custom_io *io, int fd)
{
	return fuse_session_custom_io(session, io, fd);
}
/* function: a fuse_log_func_t as a plain pointer; va_list does not cross into Swift. */
static inline void cf_set_log(void *function) { fuse_set_log_func((fuse_log_func_t)function); }
#endif
