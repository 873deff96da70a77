/*
 * What Swift cannot import: variadic system calls, system calls without a libc wrapper, ioctl numbers,
 * function-like macros, atomics on mapped memory. No policy here.
 *
 * Convention: every function that wraps a system call answers its result, or -errno. errno is therefore read in
 * the statement after the call and nowhere else.
 */
#ifndef UNIONFSD_CSHIMS_H
#define UNIONFSD_CSHIMS_H

/* No _GNU_SOURCE here, only in cshims.c: Swift's Glibc module is built without it, and a struct that two modules lay out
   differently (fd_set) is a compile error on a fresh build. */
#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

/* ---- opening ---- */
long cs_openat(int dirfd, const char *path, int flags, unsigned mode);
/* resolve: RESOLVE_* bits of openat2(2). */
long cs_openat2(int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);
#define CS_RESOLVE_NO_XDEV 0x01
#define CS_RESOLVE_NO_MAGICLINKS 0x02
#define CS_RESOLVE_NO_SYMLINKS 0x04
#define CS_RESOLVE_BENEATH 0x08
#define CS_RESOLVE_IN_ROOT 0x10
/* A second descriptor of what an O_PATH descriptor stands for, through /proc/self/fd. */
long cs_reopen(int fd, int flags);
/* A private, non-recursive copy of the mount that path lies on, rooted at path (open_tree(2)), with other flags: MOUNT_ATTR_* of mount_setattr(2). */
long cs_open_tree_clone(const char *path, uint64_t set, uint64_t clear);
/* Of a mount by a descriptor of its root, as open_tree(2) gives it. */
long cs_mount_setattr(int tree, uint64_t set, uint64_t clear);
long cs_ioctl(int fd, uint32_t command);
/* Reads a directory a little: its access time is what it would be after a readdir(3). */
long cs_read_directory_once(int directory);
long cs_close(int fd);
long cs_dup_cloexec(int fd);

/* ---- what belongs to this user and gives its owner nothing ---- */
/* From now on, for the whole process and what it forks. */
void cs_act_as_owner(int on);
/* Calls `call` once more, in a user namespace where the mode of this user's own objects does not count; its answer. -EACCES where that is off, or not to be had. */
long cs_as_owner(long (*call)(void *), void *argument);

/* ---- status ---- */
struct cs_status {
	uint64_t ino, dev, rdev, size, blocks, mnt_id;
	uint32_t mode, nlink, uid, gid, blksize, mask;
	uint64_t attributes;
	int64_t atime_s, mtime_s, ctime_s, btime_s;
	uint32_t atime_ns, mtime_ns, ctime_ns, btime_ns;
};
/* statx(2); path "" with AT_EMPTY_PATH in flags for the descriptor itself. */
long cs_statx(int dirfd, const char *path, int flags, struct cs_status *out);
#define CS_STATX_BTIME 0x800u
#define CS_STATX_MNT_ID 0x1000u

struct cs_statfs {
	uint64_t blocks, bfree, bavail, files, ffree;
	uint64_t type, fsid;
	uint32_t bsize, frsize, namelen, flags;
};
long cs_fstatfs(int fd, struct cs_statfs *out);

/* ---- extended attributes, on a name in a directory and never through a symlink ---- */
/* name "" means the descriptor itself, of whatever kind (O_PATH too). */
long cs_getxattr_at(int dirfd, const char *name, const char *attr, void *value, size_t size);
long cs_setxattr_at(int dirfd, const char *name, const char *attr, const void *value, size_t size, int flags);
long cs_listxattr_at(int dirfd, const char *name, char *list, size_t size);
long cs_removexattr_at(int dirfd, const char *name, const char *attr);
/* 1 when the kernel has the *xattrat system calls (6.13), else 0 and /proc/self/fd is used. */
int cs_has_xattrat(void);

/* ---- data ---- */
long cs_pread(int fd, void *buf, size_t n, int64_t off);
long cs_pwrite(int fd, const void *buf, size_t n, int64_t off);
long cs_read(int fd, void *buf, size_t n);
long cs_write(int fd, const void *buf, size_t n);
long cs_writev(int fd, const struct iovec *iov, int count);
/* At most 16384 bytes from the beginning, by one read and one write; how many there were. */
long cs_copy_small(int from, int to, size_t length);
long cs_copy_file_range(int in, int64_t *off_in, int out, int64_t *off_out, size_t n, unsigned flags);
long cs_ficlone(int dest, int src);
long cs_fallocate(int fd, int mode, int64_t off, int64_t len);
long cs_lseek(int fd, int64_t off, int whence);
long cs_ftruncate(int fd, int64_t len);
long cs_fsync(int fd);
long cs_fdatasync(int fd);
long cs_syncfs(int fd);
long cs_sync_range(int fd, int64_t offset, int64_t length, unsigned flags);

/* ---- names ---- */
long cs_mkdirat(int dirfd, const char *name, unsigned mode);
long cs_mknodat(int dirfd, const char *name, unsigned mode, uint64_t dev);
long cs_symlinkat(const char *target, int dirfd, const char *name);
long cs_linkat(int olddir, const char *oldname, int newdir, const char *newname, int flags);
/* Names the file behind a descriptor: AT_EMPTY_PATH where allowed, else through /proc/self/fd. */
long cs_link_fd(int fd, int newdir, const char *newname);
long cs_unlinkat(int dirfd, const char *name, int flags);
long cs_renameat2(int olddir, const char *oldname, int newdir, const char *newname, unsigned flags);
long cs_readlinkat(int dirfd, const char *name, char *buf, size_t size);
long cs_getdents64(int fd, void *buf, size_t size);

/* ---- ownership, mode, times ---- */
long cs_fchownat(int dirfd, const char *name, uint32_t uid, uint32_t gid, int flags);
long cs_fchmod(int fd, unsigned mode);
/* chmod of a name without following a symlink: fchmodat2(2), or an O_PATH descriptor through /proc/self/fd. */
long cs_chmod_at(int dirfd, const char *name, unsigned mode);
long cs_utimensat(int dirfd, const char *name, const struct timespec times[2], int flags);
long cs_faccessat2(int dirfd, const char *name, int mode, int flags);

/* ---- file flags (FS_IOC_*), identity ---- */
long cs_getflags(int fd, uint32_t *flags);
long cs_setflags(int fd, uint32_t flags);
long cs_getversion(int fd, uint32_t *generation);
struct cs_fsxattr { uint32_t xflags, extsize, nextents, projid, cowextsize; unsigned char pad[8]; };
long cs_fsgetxattr(int fd, struct cs_fsxattr *attr);
long cs_fssetxattr(int fd, const struct cs_fsxattr *attr);
/* 16 bytes of the filesystem's UUID: FS_IOC_GETFSUUID (6.9). */
/* fs-verity: the digest of an open file that has one; its length. */
long cs_measure_verity(int fd, uint16_t *algorithm, uint8_t digest[64]);
long cs_fsuuid(int fd, uint8_t uuid[16]);
struct cs_handle { uint32_t bytes; int32_t type; uint8_t data[128]; };
long cs_name_to_handle(int dirfd, const char *name, struct cs_handle *handle);
/* One that only tells objects apart (AT_HANDLE_FID, Linux 6.5): filesystems have it that cannot open by handle. */
long cs_name_to_identity(int dirfd, const char *name, struct cs_handle *out);
long cs_open_by_handle(int mountfd, const struct cs_handle *handle, int flags);

/* ---- mounts ---- */
long cs_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data);
long cs_umount2(const char *target, int flags);

/* ---- processes and credentials ---- */
long cs_fork(void);
long cs_setsid(void);
long cs_pipe2(int fds[2], int flags);
long cs_execv(const char *path, char *const argv[]);
long cs_waitpid(int pid, int *status, int flags);
int cs_wexitstatus(int status);
int cs_wifexited(int status);
int cs_wtermsig(int status);
long cs_kill(int pid, int sig);
long cs_close_range(unsigned first, unsigned last);
long cs_unshare(int flags);
long cs_setns(int fd, int kind);
/* A descriptor of the user namespace in which another one was made (ioctl_ns(2)); -EPERM where it is none that may be seen from here. */
long cs_ns_parent(int fd);
/* A mount namespace's number that no other gets before the machine is started again (NS_GET_MNTNS_ID, Linux 6.11). */
long cs_mount_ns_id(int fd, uint64_t *id);
/* setresgid(2) and setresuid(2) to 0, and the process as open to its user's others as before. */
long cs_become_root(void);
long cs_signal_default(int signal);
long cs_set_fsuid(uint32_t uid);	/* of this thread; answers the previous one */
long cs_set_fsgid(uint32_t gid);
/* The supplementary groups of this thread alone (the raw system call). */
long cs_setgroups_thread(size_t n, const uint32_t *groups);
long cs_prctl_name(const char *name);
/* Ignores SIGXFSZ, and lifts RLIMIT_FSIZE as far as it may. */
void cs_lift_fsize(void);
long cs_raise_nofile(uint64_t *limit);	/* soft limit up to the hard one; answers the limit in force */
long cs_poll_in(int fd, int timeout_ms);
long cs_has_capability(int cap);	/* 1 when effective, 0 when not */
int cs_is_chown(long number);	/* of a system call */
long cs_set_effective(uint64_t effective, uint64_t among);	/* capset(2) of this thread: of these bits, those */
long cs_set_nonblock(int fd, int on);
long cs_flock(int fd, int operation);
/* fcntl(2) record locks, the process's own: gone with it, or with the first close(2) of any descriptor of the file. */
long cs_lock_byte(int fd, long offset, int exclusive, int wait);
long cs_unlock_byte(int fd, long offset);
/* The process that keeps others from locking that byte for themselves; 0 where none does, -ESRCH where it is of another process namespace. */
long cs_byte_holder(int fd, long offset);
long cs_is_initial_userns(void);
long cs_chdir(const char *path);
long cs_fchdir(int fd);
long cs_dup2(int from, int to);
int cs_isatty(int fd);

/* ---- memory ---- */
long cs_memfd(const char *name);
/* Address on success, 0 on failure with *err set. */
/* at: that address or none (EEXIST, EOPNOTSUPP before Linux 4.17); 0: any. */
void *cs_map_shared(int fd, size_t length, int writable, uintptr_t at, int *err);
long cs_unmap(void *address, size_t length);
void cs_populate(int file, void *base, long offset, long length, long always);
long cs_punch(void *address, size_t length);
void cs_release_free_memory(void);	/* malloc_trim(3) */
long cs_align_page(void);

/* ---- locks, on memory that Swift owns (locks.c): 0, or what pthread_…(3) says ---- */
/* Says so on stderr and ends the process by SIGABRT, but for 0. */
void cs_lock_fault(const char *what, int error);
size_t cs_mutex_size(void);
int cs_mutex_init(void *m);
int cs_mutex_destroy(void *m);
/* EDEADLK for the holder itself; ETIMEDOUT a second after that time (< 0: never). */
int cs_mutex_lock(void *m, int milliseconds);
int cs_mutex_unlock(void *m);
size_t cs_rwlock_size(void);
int cs_rwlock_init(void *l);
int cs_rwlock_destroy(void *l);
int cs_rwlock_try(void *l, int exclusive);			/* EBUSY: not now */
int cs_rwlock_lock(void *l, int exclusive, int milliseconds);	/* < 0: however long it takes; else ETIMEDOUT */
int cs_rwlock_unlock(void *l);
size_t cs_cond_size(void);
int cs_cond_init(void *c);
int cs_cond_destroy(void *c);
int cs_cond_wait(void *c, void *m, int milliseconds);	/* returns after that time too; < 0: never by itself */
int cs_cond_broadcast(void *c);
/* io_uring(7), as the FUSE transport needs it (ring.c) */
long cs_ring_open(unsigned entries, void **ring);
void cs_ring_close(void *ring);
long cs_ring_enable(void *ring);
long cs_ring_fuse(void *ring, int device, uint32_t command, const void *vectors, uint64_t commit_id, uint16_t queue);
/* Submits what is queued and does not wait. */
long cs_ring_anchor_open(void);	/* a descriptor for: */
long cs_ring_anchor(void *ring, int anchor);	/* goes with the next submission: the thread's death cancels its commands in order */
/* Asks the filesystem with that device number for its size, through no path: ENOSYS where the architecture has no ustat(2), EINVAL where no such filesystem is. */
long cs_statfs_of_device(unsigned major, unsigned minor);
long cs_ring_submit(void *ring);
long cs_ring_wait(void *ring, int32_t *result);	/* of one completion */
long cs_thread_pin(int processor);
long cs_thread_unpin(void);	/* to the processors that the first thread to be pinned had before */
/* sched(7) of one thread, by its number (gettid(2)); 0: of this one. */
long cs_set_processor(int thread, int processor);
long cs_avoid_processor(int thread, int processor);
long cs_set_all_processors(int thread);	/* as cs_thread_unpin */
long cs_thread_number(void);
long cs_policy(int thread);
long cs_set_policy(int thread, int policy);
long cs_thread_urgent(int nice, uint64_t slice);	/* of this thread; slice: nanoseconds, kept since Linux 6.12 */
/* 1: nobody has the file open or mapped for writing, as a lease on it is given (F_SETLEASE, F_RDLCK), and taken back. Who opens it meanwhile waits for that, and the
 * process is sent SIGIO, which it must ignore. */
long cs_without_writer(int fd);

/* ---- threads ---- */
typedef void (*cs_thread_body)(void *context);
/* A joinable thread with all signals blocked; 0, or -errno. */
long cs_thread_start(cs_thread_body body, void *context, size_t stack, uint64_t *handle);
long cs_thread_join(uint64_t handle);
long cs_thread_detach(uint64_t handle);
/* One of this process, by its number (gettid(2)). */
int cs_thread_exists(uint32_t thread);
/* One word of this thread: the descriptor that replies go to. */
void cs_thread_set_channel(int fd);
int cs_thread_channel(void);
/* Another: the thread id of whoever waits for what this thread does; 0: nobody, or not to be seen from here. */
void cs_thread_set_caller(uint32_t tid);
uint32_t cs_thread_caller(void);

/* ---- signals ---- */
long cs_signal_ignore(int sig);
/* Runs body-free: the handler writes the signal's number to fd. */
long cs_signal_to_fd(int sig, int fd);

/* ---- this thread as somebody else: filesystem uid and gid (0: as it is) and umask ---- */
/* The umask stays until the next call; uid and gid until cs_become_self with the same arguments. */
long cs_become(uint32_t uid, uint32_t gid, unsigned mask);
void cs_become_self(uint32_t uid, uint32_t gid);

/* ---- clock ---- */
uint64_t cs_monotonic_ns(void);
int64_t cs_realtime_s(void);

/* ---- atomics on shared memory ---- */
static inline uint64_t cs_load64(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
static inline uint32_t cs_load32(const uint32_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
static inline uint64_t cs_load64_acquire(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
static inline uint32_t cs_load32_acquire(const uint32_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
static inline void cs_store64(uint64_t *p, uint64_t v) { __atomic_store_n(p, v, __ATOMIC_RELAXED); }
static inline void cs_store64_release(uint64_t *p, uint64_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
static inline void cs_store32_release(uint32_t *p, uint32_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
static inline uint64_t cs_add64(uint64_t *p, uint64_t v) { return __atomic_fetch_add(p, v, __ATOMIC_RELAXED); }
static inline uint32_t cs_or32(uint32_t *p, uint32_t v) { return __atomic_fetch_or(p, v, __ATOMIC_ACQ_REL); }
static inline uint32_t cs_and32(uint32_t *p, uint32_t v) { return __atomic_fetch_and(p, v, __ATOMIC_ACQ_REL); }

/* ---- /dev/fuse ---- */
/* A second descriptor of the connection behind device, with a queue of its own (FUSE_DEV_IOC_CLONE). */
long cs_fuse_clone(int device);
/* FUSE_DEV_IOC_BACKING_OPEN: an id > 0. Needs CAP_SYS_ADMIN in the initial user namespace. */
long cs_fuse_backing_open(int device, int fd);
long cs_fuse_backing_close(int device, uint32_t id);
/* One message in three parts, each of which may be empty. */
long cs_write_parts(int fd, const void *a, size_t an, const void *b, size_t bn, const void *c, size_t cn);
/* A fuse_log_func_t that keeps what libfuse would print on stderr, and errno as it was then. */
void *cs_log_capture(void);
/* Moves the kept text to out, NUL behind it; the errno of its last line, 0 when there is none. */
int cs_log_take(char *out, size_t size);

/* ---- waking a thread out of a blocking read: SIGURG, which no default action follows ---- */
long cs_wake_prepare(void);		/* once: the handler, without SA_RESTART */
long cs_wake_accept(void);		/* in the thread that is to be woken */
uint64_t cs_thread_self(void);
long cs_thread_wake(uint64_t handle);
long cs_spawn(const char *path, char *const argv[], int in, int out, int err, int own_session);
/* struct ucred of unix(7), for SO_PEERCRED. */
struct cs_credentials { int32_t pid; uint32_t uid, gid; };
enum { CS_PEER_CREDENTIALS = 17 };
void cs_limit_arenas(int count);
void cs_sleep_ms(int milliseconds);

/* ---- what outlives the process (journal.c, docs/takeover.md) ---- */
void cs_journal_save(void *journal, uint32_t capacity, const void *base, const void *record, uint32_t length);
void cs_journal_commit(void *journal);
long cs_journal_undo(void *journal, uint32_t capacity, void *base, uint64_t size);

enum { CS_IDLE, CS_BEGUN, CS_REPLIED, CS_FORGETTING };
/* What a thread holds and waits for: keys of locks (LinuxSys/LockNotes.swift). Written by it alone, read by those who wait. */
#define CS_LOCKS_HELD 8
struct cs_lock_notes {
	uint32_t thread;	/* gettid(2) */
	uint32_t count;
	uint32_t held[CS_LOCKS_HELD];
	uint32_t waiting;	/* 0: for nothing */
	uint32_t subject;	/* the node that it is about */
	uint64_t since;		/* CLOCK_MONOTONIC */
};
/* Of this thread: in its slot, or its own where it has none. */
struct cs_lock_notes *cs_lock_notes(void);
void cs_lock_noted(struct cs_lock_notes *notes, uint32_t key);
void cs_lock_forgotten(struct cs_lock_notes *notes, uint32_t key);
/* Whether one of the held keys is `key` under `mask`. */
int cs_lock_holds(const struct cs_lock_notes *notes, uint32_t mask, uint32_t key);

/* A request that a thread is in the middle of. */
struct cs_inflight {
	uint64_t unique;	/* without FUSE_UNIQUE_RESEND */
	uint64_t subject;	/* node id of the header */
	uint32_t state;		/* CS_* */
	uint32_t opcode;
	uint32_t reply;		/* length of the reply, header included, where the thread's replies lie */
	uint32_t forgotten;	/* of a FORGET: how many of its entries were done */
	uint32_t lookups;	/* node numbers behind this structure */
	uint32_t handle;	/* made for it; 0: none */
	int32_t orphan, data;	/* descriptors of what is about to lose its last name; -1: none */
	uint32_t backing_count;
	uint32_t backings[16];	/* ids of backing files that were made, or that inodes had to give up */
	uint32_t copying;	/* node whose copy is about to be shown; 0: none */
	uint32_t done;		/* the names are changed, in the layer and in the table */
	uint32_t attempts;	/* workers that died of it */
	uint32_t result;	/* of a WRITE that is done: bytes */
	uint32_t spare;
	uint64_t commit;	/* of a ring: the id that the kernel wants with the reply */
	uint64_t began;		/* CLOCK_MONOTONIC */
	struct cs_lock_notes locks;
};
/* Behind a slot: nodes, each looked up once for it and not forgotten. */
#define CS_INFLIGHT_NODES 8192
void cs_inflight_set(struct cs_inflight *slot);
struct cs_inflight *cs_inflight(void);
void cs_store_ordered(uint32_t *word, uint32_t value);

/* ---- the guardian (guardian.c) ---- */
long cs_fork_sharing_files(void);
long cs_signals_hold(void);
long cs_signals_release(void);
/* The next of them; milliseconds < 0: however long it takes. -EAGAIN: none came. */
long cs_signals_wait(int milliseconds);
/* oom_score_adj of this process, -1000 to 1000. */
long cs_prefer_to_kill(int score);
/* A descriptor stays open over execve(2). */
long cs_keep_over_exec(int fd);
long cs_keep_all_over_exec(void);
/* execveat(2) of an open program, with this environment: returns only with -errno. */
long cs_exec_descriptor(int program, char *const argv[]);
long cs_open_named(int directory, const char *name);
/* Over an execve(2) too. */
void cs_die_after(unsigned seconds);

/* ---- function-like macros ---- */
static inline uint64_t cs_makedev(uint32_t major, uint32_t minor) {
	return ((uint64_t)(major & 0xfffff000u) << 32) | ((uint64_t)(major & 0xfffu) << 8) |
	       ((uint64_t)(minor & 0xffffff00u) << 12) | (minor & 0xffu);
}
/* The order of locks, checked in debug builds (LinuxSys/Locks.swift). */
/* What is held that must not be, with `key` to be taken; 0: nothing. */
uint64_t cs_rank_breach(uint64_t key);
void cs_rank_push(uint64_t key);
void cs_rank_pop(uint64_t key);
uint64_t cs_rank_violations(void);
#endif
