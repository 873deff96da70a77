#define _GNU_SOURCE
#include "cshims.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define RET(expr) do { long r_ = (long)(expr); return r_ < 0 ? -(long)errno : r_; } while (0)

long cs_openat(int d, const char *p, int flags, unsigned mode) { RET(openat(d, p, flags | O_CLOEXEC, mode)); }

struct how { uint64_t flags, mode, resolve; };
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
/* EAGAIN: somewhere on the machine something was renamed or mounted while a ".." was walked, also one of a symlink, so that the kernel cannot say whether that led out
 * (openat2(2), handle_dots of fs/namei.c). What was looked up is cached by the next try, which is shorter; but a machine may rename all the time. */
#define OPENAT2_TRIES 256
long cs_openat2(int d, const char *p, uint64_t flags, uint64_t mode, uint64_t resolve) {
	struct how h = { flags | O_CLOEXEC, mode, resolve };
	for (int try = 1;; try++) {
		long fd = syscall(SYS_openat2, d, p, &h, sizeof h);
		if (fd >= 0) return fd;
		if (errno != EAGAIN || try >= OPENAT2_TRIES) return -(long)errno;
		if (try % 16 == 0) sched_yield();
	}
}

static void proc_path(char out[40], int fd) { snprintf(out, 40, "/proc/self/fd/%d", fd); }

long cs_reopen(int fd, int flags) {
	char p[40];
	proc_path(p, fd);
	RET(open(p, flags | O_CLOEXEC));
}

#ifndef SYS_open_tree
#define SYS_open_tree 428
#endif
struct mount_attr_ { uint64_t attr_set, attr_clr, propagation, userns_fd; };
long cs_mount_setattr(int tree, uint64_t set, uint64_t clear) {
	struct mount_attr_ a = { set, clear, 0, 0 };
	RET(syscall(442 /* mount_setattr */, tree, "", AT_EMPTY_PATH, &a, sizeof a));
}
long cs_open_tree_clone(const char *path, uint64_t set, uint64_t clear) {
	long fd = syscall(SYS_open_tree, AT_FDCWD, path, 1u /* OPEN_TREE_CLONE */ | O_CLOEXEC);
	if (fd < 0) return -(long)errno;
	long error = cs_mount_setattr((int)fd, set, clear);
	if (error < 0) {
		close((int)fd);
		return error;
	}
	return fd;
}
long cs_ioctl(int fd, uint32_t command) { RET(ioctl(fd, command, 0)); }
/* Each call of iterate_dir() ends with file_accessed(), whatever it read. */
long cs_read_directory_once(int d) {
	char entries[512];
	int fd = openat(d, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) return -(long)errno;
	long got = syscall(SYS_getdents64, fd, entries, sizeof entries);
	int e = errno;
	close(fd);
	return got < 0 ? -(long)e : 0;
}

long cs_close(int fd) { RET(close(fd)); }
long cs_dup_cloexec(int fd) { RET(fcntl(fd, F_DUPFD_CLOEXEC, 3)); }

long cs_statx(int d, const char *p, int flags, struct cs_status *o) {
	struct statx s;
	if (statx(d, p, flags | AT_NO_AUTOMOUNT, STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID, &s) < 0) return -(long)errno;
	o->ino = s.stx_ino; o->size = s.stx_size; o->blocks = s.stx_blocks; o->mnt_id = s.stx_mnt_id;
	o->dev = cs_makedev(s.stx_dev_major, s.stx_dev_minor);
	o->rdev = cs_makedev(s.stx_rdev_major, s.stx_rdev_minor);
	o->mode = s.stx_mode; o->nlink = s.stx_nlink; o->uid = s.stx_uid; o->gid = s.stx_gid;
	o->blksize = s.stx_blksize; o->mask = s.stx_mask; o->attributes = s.stx_attributes;
	o->atime_s = s.stx_atime.tv_sec; o->mtime_s = s.stx_mtime.tv_sec;
	o->ctime_s = s.stx_ctime.tv_sec; o->btime_s = s.stx_btime.tv_sec;
	o->atime_ns = s.stx_atime.tv_nsec; o->mtime_ns = s.stx_mtime.tv_nsec;
	o->ctime_ns = s.stx_ctime.tv_nsec; o->btime_ns = s.stx_btime.tv_nsec;
	return 0;
}

long cs_fstatfs(int fd, struct cs_statfs *o) {
	struct statfs s;
	if (fstatfs(fd, &s) < 0) return -(long)errno;
	o->blocks = s.f_blocks; o->bfree = s.f_bfree; o->bavail = s.f_bavail; o->files = s.f_files; o->ffree = s.f_ffree;
	o->type = (uint64_t)s.f_type; o->bsize = (uint32_t)s.f_bsize;
	o->frsize = s.f_frsize ? (uint32_t)s.f_frsize : (uint32_t)s.f_bsize;
	o->namelen = (uint32_t)s.f_namelen; o->flags = (uint32_t)s.f_flags;
	memcpy(&o->fsid, &s.f_fsid, sizeof o->fsid);
	return 0;
}

/* ---- extended attributes ---- */
#define NR_setxattrat 463
#define NR_getxattrat 464
#define NR_listxattrat 465
#define NR_removexattrat 466
struct xattr_args { uint64_t value __attribute__((aligned(8))); uint32_t size, flags; };

/* The new calls do not take an O_PATH descriptor as the object itself: those go through /proc as before. */
static int is_path_only(int fd) {
	int f = fcntl(fd, F_GETFL);
	return f >= 0 && (f & O_PATH);
}
#define DIRECT(name) (cs_has_xattrat() && (*(name) || !is_path_only(dirfd)))
static int xattrat_state; /* 0 unknown, 1 yes, 2 no */
int cs_has_xattrat(void) {
	int s = __atomic_load_n(&xattrat_state, __ATOMIC_RELAXED);
	if (!s) {
		long r = syscall(NR_listxattrat, -1, "", AT_EMPTY_PATH, NULL, (size_t)0);
		s = (r < 0 && errno == ENOSYS) ? 2 : 1;
		__atomic_store_n(&xattrat_state, s, __ATOMIC_RELAXED);
	}
	return s == 1;
}
#define AT_FLAGS(name) (AT_SYMLINK_NOFOLLOW | (*(name) ? 0 : AT_EMPTY_PATH))

/* Before 6.13: an O_PATH descriptor of the name, reached through /proc/self/fd, which leads to the object itself
   and does not follow it when it is a symlink. */
static long with_proc(int dirfd, const char *name, char path[40], int *own) {
	*own = -1;
	if (*name) {
		int fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0) return -(long)errno;
		*own = fd;
		proc_path(path, fd);
	} else {
		proc_path(path, dirfd);
	}
	return 0;
}
#define VIA_PROC(call) do { \
	char path[40]; \
	int own; \
	long r = with_proc(dirfd, name, path, &own); \
	if (r < 0) \
		return r; \
	r = (call); \
	if (r < 0) \
		r = -(long)errno; \
	if (own >= 0) \
		close(own); \
	return r; \
} while (0)

long cs_getxattr_at(int dirfd, const char *name, const char *attr, void *value, size_t size) {
	if (DIRECT(name)) {
		struct xattr_args a = { (uint64_t)(uintptr_t)value, (uint32_t)size, 0 };
		RET(syscall(NR_getxattrat, dirfd, name, AT_FLAGS(name), attr, &a, sizeof a));
	}
	VIA_PROC(getxattr(path, attr, value, size));
}
long cs_setxattr_at(int dirfd, const char *name, const char *attr, const void *value, size_t size, int flags) {
	if (DIRECT(name)) {
		struct xattr_args a = { (uint64_t)(uintptr_t)value, (uint32_t)size, (uint32_t)flags };
		RET(syscall(NR_setxattrat, dirfd, name, AT_FLAGS(name), attr, &a, sizeof a));
	}
	VIA_PROC(setxattr(path, attr, value, size, flags));
}
long cs_listxattr_at(int dirfd, const char *name, char *list, size_t size) {
	if (DIRECT(name)) RET(syscall(NR_listxattrat, dirfd, name, AT_FLAGS(name), list, size));
	VIA_PROC(listxattr(path, list, size));
}
long cs_removexattr_at(int dirfd, const char *name, const char *attr) {
	if (DIRECT(name)) RET(syscall(NR_removexattrat, dirfd, name, AT_FLAGS(name), attr));
	VIA_PROC(removexattr(path, attr));
}

/* ---- data ---- */
long cs_pread(int fd, void *b, size_t n, int64_t o) { RET(pread(fd, b, n, o)); }
long cs_pwrite(int fd, const void *b, size_t n, int64_t o) { RET(pwrite(fd, b, n, o)); }
long cs_read(int fd, void *b, size_t n) { RET(read(fd, b, n)); }
long cs_write(int fd, const void *b, size_t n) { RET(write(fd, b, n)); }
long cs_writev(int fd, const struct iovec *iov, int count) { RET(writev(fd, iov, count)); }
long cs_copy_small(int from, int to, size_t length)
{
	char buffer[16384];
	size_t done = 0;
	if (length > sizeof buffer) return -EINVAL;
	while (done < length) {
		ssize_t n = pread(from, buffer + done, length - done, (off_t)done);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0) return -(long)errno;
		if (n == 0) break;
		done += (size_t)n;
	}
	for (size_t at = 0; at < done;) {
		ssize_t n = pwrite(to, buffer + at, done - at, (off_t)at);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0) return -(long)errno;
		if (n == 0) return -EIO;
		at += (size_t)n;
	}
	return (long)done;
}
long cs_copy_file_range(int in, int64_t *oi, int out, int64_t *oo, size_t n, unsigned flags) {
	off_t i = oi ? *oi : 0, o = oo ? *oo : 0;
	long r = copy_file_range(in, oi ? &i : NULL, out, oo ? &o : NULL, n, flags);
	if (r < 0) return -(long)errno;
	if (oi) *oi = i;
	if (oo) *oo = o;
	return r;
}
long cs_ficlone(int dest, int src) { RET(ioctl(dest, FICLONE, src)); }
long cs_fallocate(int fd, int mode, int64_t off, int64_t len) { RET(fallocate(fd, mode, off, len)); }
long cs_lseek(int fd, int64_t off, int whence) { RET(lseek(fd, off, whence)); }
long cs_ftruncate(int fd, int64_t len) { RET(ftruncate(fd, len)); }
long cs_fsync(int fd) { RET(fsync(fd)); }
long cs_fdatasync(int fd) { RET(fdatasync(fd)); }
long cs_syncfs(int fd) { RET(syncfs(fd)); }
long cs_sync_range(int fd, int64_t offset, int64_t length, unsigned flags) { RET(sync_file_range(fd, offset, length, flags)); }

/* ---- names ---- */
long cs_mkdirat(int d, const char *n, unsigned mode) { RET(mkdirat(d, n, mode)); }
long cs_mknodat(int d, const char *n, unsigned mode, uint64_t dev) { RET(mknodat(d, n, mode, dev)); }
long cs_symlinkat(const char *t, int d, const char *n) { RET(symlinkat(t, d, n)); }
long cs_linkat(int od, const char *on, int nd, const char *nn, int flags) { RET(linkat(od, on, nd, nn, flags)); }
long cs_link_fd(int fd, int nd, const char *nn) {
	if (linkat(fd, "", nd, nn, AT_EMPTY_PATH) == 0) return 0;
	if (errno != ENOENT && errno != EPERM && errno != EINVAL) return -(long)errno;
	char p[40];
	proc_path(p, fd);
	RET(linkat(AT_FDCWD, p, nd, nn, AT_SYMLINK_FOLLOW));
}
long cs_unlinkat(int d, const char *n, int flags) { RET(unlinkat(d, n, flags)); }
long cs_renameat2(int od, const char *on, int nd, const char *nn, unsigned flags) {
	RET(syscall(SYS_renameat2, od, on, nd, nn, flags));
}
long cs_readlinkat(int d, const char *n, char *b, size_t size) { RET(readlinkat(d, n, b, size)); }
long cs_getdents64(int fd, void *b, size_t size) { RET(syscall(SYS_getdents64, fd, b, size)); }

/* ---- ownership, mode, times ---- */
long cs_fchownat(int d, const char *n, uint32_t u, uint32_t g, int flags) { RET(fchownat(d, n, u, g, flags)); }
long cs_fchmod(int fd, unsigned mode) { RET(fchmod(fd, mode)); }
long cs_chmod_at(int d, const char *n, unsigned mode) {
	long r = syscall(452 /* fchmodat2 */, d, n, mode, AT_SYMLINK_NOFOLLOW | (*n ? 0 : AT_EMPTY_PATH));
	if (r == 0) return 0;
	if (errno != ENOSYS) return -(long)errno;
	char p[40];
	int fd = -1;
	if (*n) {
		fd = openat(d, n, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0) return -(long)errno;
	}
	proc_path(p, *n ? fd : d);
	r = chmod(p, mode);
	if (r < 0) r = -(long)errno;
	if (fd >= 0) close(fd);
	return r;
}
long cs_utimensat(int d, const char *n, const struct timespec t[2], int flags) { RET(utimensat(d, n, t, flags)); }
long cs_faccessat2(int d, const char *n, int mode, int flags) { RET(syscall(439, d, n, mode, flags)); }

/* ---- file flags, identity ---- */
long cs_getflags(int fd, uint32_t *flags) {
	int v = 0;
	if (ioctl(fd, FS_IOC_GETFLAGS, &v) < 0) return -(long)errno;
	*flags = (uint32_t)v;
	return 0;
}
long cs_setflags(int fd, uint32_t flags) {
	int v = (int)flags;
	RET(ioctl(fd, FS_IOC_SETFLAGS, &v));
}
long cs_getversion(int fd, uint32_t *generation) {
	int v = 0;
	if (ioctl(fd, FS_IOC_GETVERSION, &v) < 0) return -(long)errno;
	*generation = (uint32_t)v;
	return 0;
}
_Static_assert(sizeof(struct cs_fsxattr) == sizeof(struct fsxattr), "struct fsxattr");
long cs_fsgetxattr(int fd, struct cs_fsxattr *a) { RET(ioctl(fd, FS_IOC_FSGETXATTR, a)); }
long cs_fssetxattr(int fd, const struct cs_fsxattr *a) { RET(ioctl(fd, FS_IOC_FSSETXATTR, a)); }
struct fsuuid2_ { uint8_t len; uint8_t uuid[16]; };
long cs_measure_verity(int fd, uint16_t *algorithm, uint8_t digest[64]) {
	/* struct fsverity_digest and FS_IOC_MEASURE_VERITY of <linux/fsverity.h>. */
	struct { uint16_t algorithm, size; uint8_t digest[64]; } d = { 0, 64, { 0 } };
	if (ioctl(fd, _IOWR('f', 134, uint32_t), &d) < 0) return -(long)errno;
	*algorithm = d.algorithm;
	memcpy(digest, d.digest, d.size <= 64 ? d.size : 64);
	return d.size <= 64 ? d.size : 64;
}
long cs_fsuuid(int fd, uint8_t uuid[16]) {
	struct fsuuid2_ u;
	memset(&u, 0, sizeof u);
	if (ioctl(fd, _IOR(0x15, 0, struct fsuuid2_), &u) < 0) {
		/* btrfs does not know FS_IOC_GETFSUUID; this is what it has in s_uuid, which overlayfs takes. */
		int error = errno;
		struct btrfs_ioctl_fs_info_args b;
		struct statfs s;
		if (fstatfs(fd, &s) < 0 || s.f_type != 0x9123683e) return -(long)error;
		memset(&b, 0, sizeof b);
		if (ioctl(fd, BTRFS_IOC_FS_INFO, &b) < 0) return -(long)errno;
		memcpy(uuid, b.fsid, 16);
		return 0;
	}
	if (u.len != 16) return -EOPNOTSUPP;
	memcpy(uuid, u.uuid, 16);
	return 0;
}
static long name_to_handle(int d, const char *n, struct cs_handle *out, int flags) {
	union { struct file_handle h; unsigned char space[sizeof(struct file_handle) + 128]; } u;
	int mount_id;
	u.h.handle_bytes = 128;
	if (name_to_handle_at(d, n, &u.h, &mount_id, flags | (*n ? 0 : AT_EMPTY_PATH)) < 0) return -(long)errno;
	if (u.h.handle_bytes > 128) return -EOVERFLOW;
	out->bytes = u.h.handle_bytes;
	out->type = u.h.handle_type;
	memcpy(out->data, u.space + sizeof(struct file_handle), u.h.handle_bytes);
	return 0;
}
long cs_name_to_handle(int d, const char *n, struct cs_handle *out) { return name_to_handle(d, n, out, 0); }
long cs_name_to_identity(int d, const char *n, struct cs_handle *out) {
	long r = name_to_handle(d, n, out, 0x200 /* AT_HANDLE_FID */);
	return r == -EINVAL ? name_to_handle(d, n, out, 0) : r;
}
long cs_open_by_handle(int mountfd, const struct cs_handle *in, int flags) {
	union { struct file_handle h; unsigned char space[sizeof(struct file_handle) + 128]; } u;
	if (in->bytes > 128) return -EINVAL;
	u.h.handle_bytes = in->bytes;
	u.h.handle_type = in->type;
	memcpy(u.space + sizeof(struct file_handle), in->data, in->bytes);
	RET(open_by_handle_at(mountfd, &u.h, flags | O_CLOEXEC));
}

/* ---- mounts ---- */
long cs_mount(const char *s, const char *t, const char *ty, unsigned long f, const char *d) { RET(mount(s, t, ty, f, d)); }
long cs_umount2(const char *t, int flags) { RET(umount2(t, flags)); }

/* ---- processes and credentials ---- */
long cs_fork(void) { RET(fork()); }
long cs_setsid(void) { RET(setsid()); }
long cs_pipe2(int fds[2], int flags) { RET(pipe2(fds, flags)); }
long cs_execv(const char *p, char *const argv[]) { RET(execv(p, argv)); }
long cs_waitpid(int pid, int *status, int flags) { RET(waitpid(pid, status, flags)); }
int cs_wexitstatus(int s) { return WEXITSTATUS(s); }
int cs_wifexited(int s) { return WIFEXITED(s); }
int cs_wtermsig(int s) { return WTERMSIG(s); }
long cs_kill(int pid, int sig) { RET(kill(pid, sig)); }
long cs_close_range(unsigned first, unsigned last) {
	if (syscall(436, first, last, 0u) == 0) return 0;
	if (errno != ENOSYS) return -(long)errno;
	long max = sysconf(_SC_OPEN_MAX);
	for (long fd = first; fd <= (long)last && fd < max; fd++) close((int)fd);
	return 0;
}
long cs_unshare(int flags) { RET(unshare(flags)); }
long cs_setns(int fd, int kind) { RET(setns(fd, kind)); }
long cs_ns_parent(int fd) { RET(ioctl(fd, 0xb702 /* NS_GET_PARENT */)); }
long cs_mount_ns_id(int fd, uint64_t *id) { RET(ioctl(fd, 0x8008b705ul, id)); }
long cs_become_root(void) {
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0) return -(long)errno;
	RET(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}
long cs_signal_default(int signal_number) { return signal(signal_number, SIG_DFL) == SIG_ERR ? -(long)errno : 0; }
long cs_set_fsuid(uint32_t uid) { return syscall(SYS_setfsuid, uid); }
long cs_set_fsgid(uint32_t gid) { return syscall(SYS_setfsgid, gid); }
long cs_setgroups_thread(size_t n, const uint32_t *g) { RET(syscall(SYS_setgroups, n, g)); }
long cs_prctl_name(const char *name) { RET(prctl(PR_SET_NAME, name, 0, 0, 0)); }
long cs_raise_nofile(uint64_t *limit) {
	struct rlimit l;
	if (getrlimit(RLIMIT_NOFILE, &l) < 0) return -(long)errno;
	if (l.rlim_cur < l.rlim_max) {
		rlim_t before = l.rlim_cur;
		l.rlim_cur = l.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &l) < 0) l.rlim_cur = before;
	}
	*limit = l.rlim_cur;
	return 0;
}
void cs_lift_fsize(void) {
	struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY }, l;
	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &none) == 0 || getrlimit(RLIMIT_FSIZE, &l) < 0) return;
	l.rlim_cur = l.rlim_max;
	setrlimit(RLIMIT_FSIZE, &l);
}
long cs_poll_in(int fd, int timeout_ms) {
	struct pollfd p = { fd, POLLIN, 0 };
	long r = poll(&p, 1, timeout_ms);
	if (r < 0) return -(long)errno;
	return r == 0 ? 0 : (p.revents ? p.revents : 1);
}
long cs_has_capability(int cap) {
	struct { uint32_t version; int pid; } header = { 0x20080522, 0 };
	struct { uint32_t effective, permitted, inheritable; } data[2];
	if (syscall(SYS_capget, &header, data) < 0) return -(long)errno;
	return (data[cap / 32].effective >> (cap % 32)) & 1;
}
int cs_is_chown(long number) {
	switch (number) {
#ifdef SYS_chown
	case SYS_chown:
	case SYS_lchown:
#endif
	case SYS_fchown:
	case SYS_fchownat:
		return 1;
	default:
		return 0;
	}
}
long cs_set_effective(uint64_t effective, uint64_t among) {
	struct { uint32_t version; int pid; } header = { 0x20080522, 0 };
	struct { uint32_t effective, permitted, inheritable; } data[2];
	if (syscall(SYS_capget, &header, data) < 0) return -(long)errno;
	for (int i = 0; i < 2; i++) {
		uint32_t wanted = effective >> (32 * i), of = among >> (32 * i);
		data[i].effective = (data[i].effective & ~of) | (wanted & of & data[i].permitted);
	}
	RET(syscall(SYS_capset, &header, data));
}
long cs_set_nonblock(int fd, int on) {
	int f = fcntl(fd, F_GETFL);
	if (f < 0) return -(long)errno;
	RET(fcntl(fd, F_SETFL, on ? f | O_NONBLOCK : f & ~O_NONBLOCK));
}
long cs_flock(int fd, int operation) { RET(flock(fd, operation)); }
long cs_lock_byte(int fd, long offset, int exclusive, int wait) {
	struct flock l = { .l_type = exclusive ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET, .l_start = offset, .l_len = 1 };
	RET(fcntl(fd, wait ? F_SETLKW : F_SETLK, &l));
}
long cs_unlock_byte(int fd, long offset) {
	struct flock l = { .l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = offset, .l_len = 1 };
	RET(fcntl(fd, F_SETLK, &l));
}
long cs_byte_holder(int fd, long offset) {
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = offset, .l_len = 1 };
	if (fcntl(fd, F_GETLK, &l) < 0) return -(long)errno;
	if (l.l_type == F_UNLCK) return 0;
	return l.l_pid > 0 ? l.l_pid : -ESRCH;
}
long cs_chdir(const char *p) { RET(chdir(p)); }
long cs_fchdir(int fd) { RET(fchdir(fd)); }
long cs_dup2(int from, int to) { RET(dup2(from, to)); }
int cs_isatty(int fd) { return isatty(fd); }
long cs_is_initial_userns(void) {
	char b[128];
	int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
	if (fd < 0) return -(long)errno;
	long n = read(fd, b, sizeof b - 1);
	close(fd);
	if (n < 0) return -EIO;
	b[n] = 0;
	unsigned long a, c, l;
	return sscanf(b, "%lu %lu %lu", &a, &c, &l) == 3 && a == 0 && c == 0 && l == 4294967295ul;
}

/* ---- memory ---- */
long cs_memfd(const char *name) { RET(memfd_create(name, MFD_CLOEXEC)); }
void *cs_map_shared(int fd, size_t length, int writable, uintptr_t at, int *err) {
	void *p = mmap((void *)at, length, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED | MAP_NORESERVE | (fd < 0 ? MAP_ANONYMOUS : 0) | (at ? MAP_FIXED_NOREPLACE : 0), fd, 0);
	if (p == MAP_FAILED) {
		*err = errno;
		return NULL;
	}
	*err = 0;
	return p;
}
long cs_unmap(void *a, size_t l) { RET(munmap(a, l)); }
/* MADV_POPULATE_WRITE (Linux 5.14): each page is made and entered into this process's page tables. Of `length` at `offset` of the file that is mapped at `base`
 * the first `always` bytes, and what the file has already. */
void cs_populate(int file, void *base, long offset, long length, long always)
{
	madvise((char *)base + offset, (size_t)always, 23);
	for (off_t at = offset + always; at < offset + length;) {
		off_t data = lseek(file, at, SEEK_DATA), hole = data < 0 ? -1 : lseek(file, data, SEEK_HOLE);
		if (data < 0 || hole < 0 || data >= offset + length) return;
		if (hole > offset + length) hole = offset + length;
		madvise((char *)base + data, (size_t)(hole - data), 23);
		at = hole;
	}
}
long cs_punch(void *a, size_t l) { RET(madvise(a, l, MADV_REMOVE)); }
void cs_release_free_memory(void) { malloc_trim(0); }
long cs_align_page(void) { return sysconf(_SC_PAGESIZE); }

static __thread int channel = -1;
void cs_thread_set_channel(int fd) { channel = fd; }
int cs_thread_channel(void) { return channel; }
static __thread uint32_t caller;
void cs_thread_set_caller(uint32_t tid) { caller = tid; }
uint32_t cs_thread_caller(void) { return caller; }

/* ---- this thread as somebody else ---- */
static __thread int own_fs_attributes;
static __thread unsigned own_umask = ~0u;
long cs_become(uint32_t uid, uint32_t gid, unsigned mask) {
	if (mask != own_umask) {
		if (!own_fs_attributes) {
			if (unshare(CLONE_FS) < 0) return -(long)errno;
			own_fs_attributes = 1;
		}
		umask(mask);
		own_umask = mask;
	}
	/* The group first: without the user's capabilities it could not be set any more. Both answer the previous id and
	   never fail visibly, so ask again what is in force. */
	if (gid) {
		syscall(SYS_setfsgid, gid);
		if ((uint32_t)syscall(SYS_setfsgid, -1) != gid) return -EPERM;
	}
	if (uid) {
		syscall(SYS_setfsuid, uid);
		if ((uint32_t)syscall(SYS_setfsuid, -1) != uid) {
			syscall(SYS_setfsgid, getegid());
			return -EPERM;
		}
	}
	return 0;
}
void cs_become_self(uint32_t uid, uint32_t gid) {
	if (uid) syscall(SYS_setfsuid, geteuid());
	if (gid) syscall(SYS_setfsgid, getegid());
}

/* ---- signals ---- */
long cs_signal_ignore(int sig) { return signal(sig, SIG_IGN) == SIG_ERR ? -(long)errno : 0; }
static volatile int signal_fd = -1;
static void on_signal(int sig) {
	int saved = errno;
	unsigned char c = (unsigned char)sig;
	if (signal_fd >= 0) {
		ssize_t r = write(signal_fd, &c, 1);
		(void)r;
	}
	errno = saved;
}
long cs_signal_to_fd(int sig, int fd) {
	signal_fd = fd;
	struct sigaction a;
	memset(&a, 0, sizeof a);
	a.sa_handler = on_signal;
	a.sa_flags = SA_RESTART;
	RET(sigaction(sig, &a, NULL));
}

/* ---- clock ---- */
uint64_t cs_monotonic_ns(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}
int64_t cs_realtime_s(void) { return (int64_t)time(NULL); }

/* ---- /dev/fuse ---- */
long cs_fuse_clone(int device) {
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd < 0) return -(long)errno;
	uint32_t from = (uint32_t)device;
	if (ioctl(fd, _IOR(229, 0, uint32_t), &from) < 0) {
		long e = -(long)errno;
		close(fd);
		return e;
	}
	return fd;
}
/* struct fuse_backing_map of <linux/fuse.h>, from 6.9 on. */
struct backing_map { int32_t fd; uint32_t flags; uint64_t padding; };
long cs_fuse_backing_open(int device, int fd) {
	struct backing_map map = { fd, 0, 0 };
	RET(ioctl(device, _IOW(229, 1, struct backing_map), &map));
}
long cs_fuse_backing_close(int device, uint32_t id) { RET(ioctl(device, _IOW(229, 2, uint32_t), &id)); }
long cs_write_parts(int fd, const void *a, size_t an, const void *b, size_t bn, const void *c, size_t cn) {
	struct iovec v[3] = { { (void *)a, an }, { (void *)b, bn }, { (void *)c, cn } };
	RET(writev(fd, v, 3));
}

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static char log_text[1024];
static int log_errno;
static void log_keep(unsigned level, const char *format, va_list arguments) {
	int e = errno;
	if (level > 4) return;	/* FUSE_LOG_WARNING; what follows is chatter */
	if (pthread_mutex_lock(&log_lock)) return;
	size_t used = strlen(log_text);
	if (used < sizeof log_text - 1) vsnprintf(log_text + used, sizeof log_text - used, format, arguments);
	log_errno = e;
	cs_lock_fault("the lock of libfuse's messages", pthread_mutex_unlock(&log_lock));
	errno = e;
}
void *cs_log_capture(void) { return (void *)log_keep; }
int cs_log_take(char *out, size_t size) {
	if (pthread_mutex_lock(&log_lock)) return 0;
	int e = log_text[0] ? log_errno : 0;
	if (size) snprintf(out, size, "%s", log_text);
	log_text[0] = 0;
	cs_lock_fault("the lock of libfuse's messages", pthread_mutex_unlock(&log_lock));
	return e;
}

/* ---- waking a thread ---- */
static void on_wake(int sig) { (void)sig; }
long cs_wake_prepare(void) {
	struct sigaction a;
	memset(&a, 0, sizeof a);
	a.sa_handler = on_wake;
	RET(sigaction(SIGURG, &a, NULL));
}
long cs_wake_accept(void) {
	sigset_t s;
	sigemptyset(&s);
	sigaddset(&s, SIGURG);
	cs_lock_fault("the signal that wakes a thread", pthread_sigmask(SIG_UNBLOCK, &s, NULL));
	return 0;
}
uint64_t cs_thread_self(void) { return (uint64_t)pthread_self(); }
long cs_thread_wake(uint64_t handle) { return -(long)pthread_kill((pthread_t)handle, SIGURG); }
/* posix_spawn(3) with these as standard input, output and error (-1: this process's), default signals, and in a session of its own if asked. */
long cs_spawn(const char *path, char *const argv[], int in, int out, int err, int own_session)
{
	extern char **environ;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	pid_t pid;
	int e;
	if ((e = posix_spawn_file_actions_init(&actions))) return -(long)e;
	if ((e = posix_spawnattr_init(&attributes))) {
		posix_spawn_file_actions_destroy(&actions);
		return -(long)e;
	}
	sigemptyset(&none);
	sigfillset(&all);
	short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
#ifdef POSIX_SPAWN_SETSID
	if (own_session) flags |= POSIX_SPAWN_SETSID;
#endif
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setflags(&attributes, flags);
	int given[3] = { in, out, err };
	for (int i = 0; i < 3 && !e; i++)
		if (given[i] >= 0) e = posix_spawn_file_actions_adddup2(&actions, given[i], i);
	if (!e) e = posix_spawn(&pid, path, &actions, &attributes, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return e ? -(long)e : pid;
}
void cs_limit_arenas(int count)
{
#ifdef M_ARENA_MAX
	mallopt(M_ARENA_MAX, count);
#else
	(void)count;
#endif
}
void cs_sleep_ms(int milliseconds) { poll(NULL, 0, milliseconds); }

long cs_without_writer(int fd)
{
	if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0) return errno == EAGAIN ? 0 : -(long)errno;
	return fcntl(fd, F_SETLEASE, F_UNLCK) < 0 ? -(long)errno : 1;
}
