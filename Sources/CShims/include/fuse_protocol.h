/*
 * The messages of /dev/fuse, protocol 7.45 (Linux 6.18), with the names of include/uapi/linux/fuse.h. Declared here and
 * not included, because Debian 12 ships the header of Linux 6.1, which lacks STATX, passthrough, RESEND and the flags
 * above bit 35, and because a newer header renames fields. All integers are in the machine's byte order.
 */
#ifndef UNIONFSD_FUSE_PROTOCOL_H
#define UNIONFSD_FUSE_PROTOCOL_H
#include <stdint.h>

#define FUSE_KERNEL_VERSION 7u
#define FUSE_KERNEL_MINOR_VERSION 45u
#define FUSE_ROOT_ID 1ull
#define FUSE_MIN_READ_BUFFER 8192

/* ---- opcodes ---- */
#define FUSE_LOOKUP 1u
#define FUSE_FORGET 2u
#define FUSE_GETATTR 3u
#define FUSE_SETATTR 4u
#define FUSE_READLINK 5u
#define FUSE_SYMLINK 6u
#define FUSE_MKNOD 8u
#define FUSE_MKDIR 9u
#define FUSE_UNLINK 10u
#define FUSE_RMDIR 11u
#define FUSE_RENAME 12u
#define FUSE_LINK 13u
#define FUSE_OPEN 14u
#define FUSE_READ 15u
#define FUSE_WRITE 16u
#define FUSE_STATFS 17u
#define FUSE_RELEASE 18u
#define FUSE_FSYNC 20u
#define FUSE_SETXATTR 21u
#define FUSE_GETXATTR 22u
#define FUSE_LISTXATTR 23u
#define FUSE_REMOVEXATTR 24u
#define FUSE_FLUSH 25u
#define FUSE_INIT 26u
#define FUSE_OPENDIR 27u
#define FUSE_READDIR 28u
#define FUSE_RELEASEDIR 29u
#define FUSE_FSYNCDIR 30u
#define FUSE_ACCESS 34u
#define FUSE_CREATE 35u
#define FUSE_INTERRUPT 36u
#define FUSE_DESTROY 38u
#define FUSE_IOCTL 39u
#define FUSE_NOTIFY_REPLY 41u
#define FUSE_BATCH_FORGET 42u
#define FUSE_FALLOCATE 43u
#define FUSE_READDIRPLUS 44u
#define FUSE_RENAME2 45u
#define FUSE_LSEEK 46u
#define FUSE_COPY_FILE_RANGE 47u
#define FUSE_SYNCFS 50u
#define FUSE_TMPFILE 51u
#define FUSE_STATX 52u
#define FUSE_COPY_FILE_RANGE_64 53u

/* ---- INIT flags; from bit 32 on they travel in flags2 ---- */
#define FUSE_ASYNC_READ (1ull << 0)
#define FUSE_POSIX_LOCKS (1ull << 1)
#define FUSE_ATOMIC_O_TRUNC (1ull << 3)
#define FUSE_EXPORT_SUPPORT (1ull << 4)
#define FUSE_BIG_WRITES (1ull << 5)
#define FUSE_DONT_MASK (1ull << 6)
#define FUSE_FLOCK_LOCKS (1ull << 10)
#define FUSE_HAS_IOCTL_DIR (1ull << 11)
#define FUSE_AUTO_INVAL_DATA (1ull << 12)
#define FUSE_DO_READDIRPLUS (1ull << 13)
#define FUSE_READDIRPLUS_AUTO (1ull << 14)
#define FUSE_ASYNC_DIO (1ull << 15)
#define FUSE_WRITEBACK_CACHE (1ull << 16)
#define FUSE_NO_OPEN_SUPPORT (1ull << 17)
#define FUSE_PARALLEL_DIROPS (1ull << 18)
#define FUSE_HANDLE_KILLPRIV (1ull << 19)
#define FUSE_POSIX_ACL (1ull << 20)
#define FUSE_ABORT_ERROR (1ull << 21)
#define FUSE_MAX_PAGES (1ull << 22)
#define FUSE_CACHE_SYMLINKS (1ull << 23)
#define FUSE_NO_OPENDIR_SUPPORT (1ull << 24)
#define FUSE_EXPLICIT_INVAL_DATA (1ull << 25)
#define FUSE_SUBMOUNTS (1ull << 27)
#define FUSE_HANDLE_KILLPRIV_V2 (1ull << 28)
#define FUSE_SETXATTR_EXT (1ull << 29)
#define FUSE_INIT_EXT (1ull << 30)
#define FUSE_SECURITY_CTX (1ull << 32)
#define FUSE_CREATE_SUPP_GROUP (1ull << 34)
#define FUSE_HAS_EXPIRE_ONLY (1ull << 35)
#define FUSE_DIRECT_IO_ALLOW_MMAP (1ull << 36)
#define FUSE_PASSTHROUGH (1ull << 37)
#define FUSE_NO_EXPORT_SUPPORT (1ull << 38)
#define FUSE_HAS_RESEND (1ull << 39)
#define FUSE_ALLOW_IDMAP (1ull << 40)
#define FUSE_OVER_IO_URING (1ull << 41)
#define FUSE_REQUEST_TIMEOUT (1ull << 42)

/* ---- request flags ---- */
#define FATTR_MODE (1u << 0)
#define FATTR_UID (1u << 1)
#define FATTR_GID (1u << 2)
#define FATTR_SIZE (1u << 3)
#define FATTR_ATIME (1u << 4)
#define FATTR_MTIME (1u << 5)
#define FATTR_FH (1u << 6)
#define FATTR_ATIME_NOW (1u << 7)
#define FATTR_MTIME_NOW (1u << 8)
#define FATTR_CTIME (1u << 10)
#define FATTR_KILL_SUIDGID (1u << 11)
#define FUSE_GETATTR_FH (1u << 0)
#define FUSE_WRITE_CACHE (1u << 0)
#define FUSE_WRITE_KILL_SUIDGID (1u << 2)
#define FUSE_FSYNC_FDATASYNC (1u << 0)
#define FUSE_OPEN_KILL_SUIDGID (1u << 0)
#define FUSE_SETXATTR_ACL_KILL_SGID (1u << 0)
#define FUSE_IOCTL_UNRESTRICTED (1u << 1)
#define FUSE_IOCTL_DIR (1u << 4)
#define FUSE_EXPIRE_ONLY (1u << 0)
#define FUSE_INT_REQ_BIT (1ull << 0)
#define FUSE_UNIQUE_RESEND (1ull << 63)

/* ---- notifications: the code stands in fuse_out_header.error, unique is 0 ---- */
#define FUSE_NOTIFY_INVAL_INODE 2
#define FUSE_NOTIFY_INVAL_ENTRY 3
#define FUSE_NOTIFY_STORE 4
#define FUSE_NOTIFY_DELETE 6
#define FUSE_NOTIFY_RESEND 7

/* ---- headers ---- */
struct fuse_in_header {
	uint32_t len, opcode;
	uint64_t unique, nodeid;
	uint32_t uid, gid, pid;
	uint16_t total_extlen;	/* in units of 8 bytes, at the message's end */
	uint16_t padding;
};
struct fuse_out_header { uint32_t len; int32_t error; uint64_t unique; };

/* ---- what requests carry ---- */
struct fuse_init_in { uint32_t major, minor, max_readahead, flags; };	/* then flags2 (7.36) and 11 unused words */
struct fuse_forget_in { uint64_t nlookup; };
struct fuse_forget_one { uint64_t nodeid, nlookup; };
struct fuse_batch_forget_in { uint32_t count, dummy; };
struct fuse_getattr_in { uint32_t getattr_flags, dummy; uint64_t fh; };
struct fuse_setattr_in {
	uint32_t valid, padding;
	uint64_t fh, size, lock_owner, atime, mtime, ctime;
	uint32_t atimensec, mtimensec, ctimensec, mode, unused4, uid, gid, unused5;
};
struct fuse_statx_in { uint32_t getattr_flags, reserved; uint64_t fh; uint32_t sx_flags, sx_mask; };
struct fuse_mknod_in { uint32_t mode, rdev, umask, padding; };
struct fuse_mkdir_in { uint32_t mode, umask; };
struct fuse_rename_in { uint64_t newdir; };
struct fuse_rename2_in { uint64_t newdir; uint32_t flags, padding; };
struct fuse_link_in { uint64_t oldnodeid; };
struct fuse_open_in { uint32_t flags, open_flags; };
struct fuse_create_in { uint32_t flags, mode, umask, open_flags; };
struct fuse_release_in { uint64_t fh; uint32_t flags, release_flags; uint64_t lock_owner; };
struct fuse_flush_in { uint64_t fh; uint32_t unused, padding; uint64_t lock_owner; };
struct fuse_read_in { uint64_t fh, offset; uint32_t size, read_flags; uint64_t lock_owner; uint32_t flags, padding; };
struct fuse_write_in { uint64_t fh, offset; uint32_t size, write_flags; uint64_t lock_owner; uint32_t flags, padding; };
struct fuse_fsync_in { uint64_t fh; uint32_t fsync_flags, padding; };
struct fuse_setxattr_compat_in { uint32_t size, flags; };	/* the first 8 bytes: without FUSE_SETXATTR_EXT */
struct fuse_setxattr_in { uint32_t size, flags, setxattr_flags, padding; };
struct fuse_getxattr_in { uint32_t size, padding; };
struct fuse_access_in { uint32_t mask, padding; };
struct fuse_ioctl_in { uint64_t fh; uint32_t flags, cmd; uint64_t arg; uint32_t in_size, out_size; };
struct fuse_fallocate_in { uint64_t fh, offset, length; uint32_t mode, padding; };
struct fuse_lseek_in { uint64_t fh, offset; uint32_t whence, padding; };
struct fuse_copy_file_range_in { uint64_t fh_in, off_in, nodeid_out, fh_out, off_out, len, flags; };

/* ---- what replies carry ---- */
struct fuse_attr {
	uint64_t ino, size, blocks, atime, mtime, ctime;
	uint32_t atimensec, mtimensec, ctimensec, mode, nlink, uid, gid, rdev, blksize, flags;
};
struct fuse_entry_out {
	uint64_t nodeid, generation, entry_valid, attr_valid;
	uint32_t entry_valid_nsec, attr_valid_nsec;
	struct fuse_attr attr;
};
struct fuse_attr_out { uint64_t attr_valid; uint32_t attr_valid_nsec, dummy; struct fuse_attr attr; };
struct fuse_sx_time { int64_t tv_sec; uint32_t tv_nsec; int32_t reserved; };
struct fuse_statx {
	uint32_t mask, blksize;
	uint64_t attributes;
	uint32_t nlink, uid, gid;
	uint16_t mode, spare0;
	uint64_t ino, size, blocks, attributes_mask;
	struct fuse_sx_time atime, btime, ctime, mtime;
	uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
	uint64_t spare2[14];
};
struct fuse_statx_out { uint64_t attr_valid; uint32_t attr_valid_nsec, flags; uint64_t spare[2]; struct fuse_statx stat; };
struct fuse_open_out { uint64_t fh; uint32_t open_flags; int32_t backing_id; };
struct fuse_write_out { uint32_t size, padding; };
struct fuse_copy_file_range_out { uint64_t bytes_copied; };
struct fuse_getxattr_out { uint32_t size, padding; };
struct fuse_lseek_out { uint64_t offset; };
struct fuse_ioctl_out { int32_t result; uint32_t flags, in_iovs, out_iovs; };
struct fuse_kstatfs {
	uint64_t blocks, bfree, bavail, files, ffree;
	uint32_t bsize, namelen, frsize, padding, spare[6];
};
struct fuse_dirent { uint64_t ino, off; uint32_t namelen, type; };
struct fuse_init_out {
	uint32_t major, minor, max_readahead, flags;
	uint16_t max_background, congestion_threshold;
	uint32_t max_write, time_gran;
	uint16_t max_pages, map_alignment;
	uint32_t flags2, max_stack_depth;
	uint16_t request_timeout;
	uint16_t unused[11];
};

/* ---- notifications ---- */
struct fuse_notify_inval_inode_out { uint64_t ino; int64_t off, len; };
struct fuse_notify_inval_entry_out { uint64_t parent; uint32_t namelen, flags; };
struct fuse_notify_delete_out { uint64_t parent, child; uint32_t namelen, padding; };
struct fuse_notify_store_out { uint64_t nodeid, offset; uint32_t size, padding; };

/* ---- requests over io_uring (Linux 6.14) ---- */
#define FUSE_IO_URING_CMD_REGISTER 1
#define FUSE_IO_URING_CMD_COMMIT_AND_FETCH 2
struct fuse_uring_ent_in_out { uint64_t flags, commit_id; uint32_t payload_sz, padding; uint64_t reserved; };
struct fuse_uring_req_header { uint8_t in_out[128], op_in[128]; struct fuse_uring_ent_in_out ring_ent_in_out; };

_Static_assert(sizeof(struct fuse_uring_req_header) == 288, "fuse_uring_req_header");
_Static_assert(sizeof(struct fuse_in_header) == 40, "fuse_in_header");
_Static_assert(sizeof(struct fuse_out_header) == 16, "fuse_out_header");
_Static_assert(sizeof(struct fuse_setattr_in) == 88, "fuse_setattr_in");
_Static_assert(sizeof(struct fuse_entry_out) == 128, "fuse_entry_out");
_Static_assert(sizeof(struct fuse_attr_out) == 104, "fuse_attr_out");
_Static_assert(sizeof(struct fuse_statx) == 256, "fuse_statx");
_Static_assert(sizeof(struct fuse_statx_out) == 288, "fuse_statx_out");
_Static_assert(sizeof(struct fuse_write_in) == 40, "fuse_write_in");
_Static_assert(sizeof(struct fuse_ioctl_in) == 32, "fuse_ioctl_in");
_Static_assert(sizeof(struct fuse_copy_file_range_in) == 56, "fuse_copy_file_range_in");
_Static_assert(sizeof(struct fuse_kstatfs) == 80, "fuse_kstatfs");
_Static_assert(sizeof(struct fuse_dirent) == 24, "fuse_dirent");
_Static_assert(sizeof(struct fuse_init_out) == 64, "fuse_init_out");
#endif
