import Glibc

// The Glibc module of Swift is built without _GNU_SOURCE, so Linux' own constants are missing from it. They keep
// the names of their manual pages. Values: the kernel's uapi headers (asm-generic, where not said otherwise).

// open(2)
let O_PATH: Int32 = 0o10000000
let O_NOATIME: Int32 = 0o1000000
let O_TMPFILE: Int32 = 0o20000000 | O_DIRECTORY
#if arch(arm64) || arch(arm)
let O_DIRECT: Int32 = 0o200000
#else
let O_DIRECT: Int32 = 0o40000
#endif
let AT_EMPTY_PATH: Int32 = 0x1000

// lseek(2)
let SEEK_DATA: Int32 = 3
let SEEK_HOLE: Int32 = 4

// fallocate(2)
let FALLOC_FL_KEEP_SIZE: Int32 = 0x01
let FALLOC_FL_PUNCH_HOLE: Int32 = 0x02
let FALLOC_FL_COLLAPSE_RANGE: Int32 = 0x08
let FALLOC_FL_ZERO_RANGE: Int32 = 0x10
let FALLOC_FL_INSERT_RANGE: Int32 = 0x20
let FALLOC_FL_UNSHARE_RANGE: Int32 = 0x40

// renameat2(2)
let RENAME_NOREPLACE: UInt32 = 1
let RENAME_EXCHANGE: UInt32 = 2
let RENAME_WHITEOUT: UInt32 = 4

// utimensat(2): values of nanoseconds
let UTIME_NOW = 0x3fff_ffff
let UTIME_OMIT = 0x3fff_fffe

// setxattr(2)
let XATTR_CREATE: Int32 = 1
let XATTR_REPLACE: Int32 = 2

// fcntl(2): locks of the open file description
let F_OFD_GETLK: Int32 = 36
let F_OFD_SETLK: Int32 = 37

// FS_IOC_GETFLAGS
let FS_SYNC_FL: UInt32 = 0x08
let FS_IMMUTABLE_FL: UInt32 = 0x10
let FS_APPEND_FL: UInt32 = 0x20
let FS_NODUMP_FL: UInt32 = 0x40
let FS_NOATIME_FL: UInt32 = 0x80

// statx(2), unshare(2), mount(2)
let STATX_BTIME: UInt32 = 0x800
let CLONE_NEWNS: Int32 = 0x20000
let MS_NOATIME: UInt = 0x400
let MS_REMOUNT: UInt = 0x20
let MS_BIND: UInt = 0x1000
let MS_REC: UInt = 0x4000
let MS_PRIVATE: UInt = 0x40000

// Kinds of object in st_mode; Glibc has them as mode_t, but the shims answer UInt32 and they are the same type.
let modeKindMask: UInt32 = 0o170000
let kindDirectory: UInt32 = 0o040000
let kindRegular: UInt32 = 0o100000
let kindSymlink: UInt32 = 0o120000
let kindFifo: UInt32 = 0o010000
let kindSocket: UInt32 = 0o140000
let kindCharacter: UInt32 = 0o020000
let kindBlock: UInt32 = 0o060000
