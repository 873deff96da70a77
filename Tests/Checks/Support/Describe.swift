import Glibc

/// How results and arguments are written in transcripts and differences.

/// A result as every wrapper here answers it: a value, or -errno.
func show(_ result: Int) -> String {
    guard result < 0 else { return String(result) }
    return errnoNames[Int32(-result)] ?? "errno \(-result)"
}

/// A result whose value says nothing (a descriptor's number): `ok`, or the errno.
func showOK(_ result: Int) -> String { result < 0 ? show(result) : "ok" }

let errnoNames: [Int32: String] = [
    EPERM: "EPERM", ENOENT: "ENOENT", ESRCH: "ESRCH", EINTR: "EINTR", EIO: "EIO", ENXIO: "ENXIO", E2BIG: "E2BIG",
    EBADF: "EBADF", EAGAIN: "EAGAIN", ENOMEM: "ENOMEM", EACCES: "EACCES", EFAULT: "EFAULT", EBUSY: "EBUSY",
    EEXIST: "EEXIST", EXDEV: "EXDEV", ENODEV: "ENODEV", ENOTDIR: "ENOTDIR", EISDIR: "EISDIR", EINVAL: "EINVAL",
    ENFILE: "ENFILE", EMFILE: "EMFILE", ENOTTY: "ENOTTY", ETXTBSY: "ETXTBSY", EFBIG: "EFBIG", ENOSPC: "ENOSPC",
    ESPIPE: "ESPIPE", EROFS: "EROFS", EMLINK: "EMLINK", EPIPE: "EPIPE", EDOM: "EDOM", ERANGE: "ERANGE",
    EDEADLK: "EDEADLK", ENAMETOOLONG: "ENAMETOOLONG", ENOLCK: "ENOLCK", ENOSYS: "ENOSYS", ENOTEMPTY: "ENOTEMPTY",
    ELOOP: "ELOOP", ENODATA: "ENODATA", EOVERFLOW: "EOVERFLOW", EOPNOTSUPP: "EOPNOTSUPP", ENOTCONN: "ENOTCONN",
    ESTALE: "ESTALE", EDQUOT: "EDQUOT", EUCLEAN: "EUCLEAN", ETIMEDOUT: "ETIMEDOUT", ECONNABORTED: "ECONNABORTED",
    ECONNREFUSED: "ECONNREFUSED", EPROTO: "EPROTO", ECANCELED: "ECANCELED", EILSEQ: "EILSEQ", EADDRINUSE: "EADDRINUSE",
]

func octal(_ value: UInt32) -> String { value == 0 ? "0" : "0" + String(value, radix: 8) }

func kindName(_ mode: UInt32) -> String {
    switch mode & modeKindMask {
    case kindDirectory: "dir"
    case kindRegular: "file"
    case kindSymlink: "link"
    case kindFifo: "fifo"
    case kindSocket: "sock"
    case kindCharacter: "char"
    case kindBlock: "block"
    default: "kind" + octal(mode & modeKindMask)
    }
}

/// The flags of open(2) by name. O_TMPFILE contains O_DIRECTORY, so it is looked for first.
func openFlags(_ flags: Int32) -> String {
    var rest = flags
    var parts: [String] = []
    switch rest & O_ACCMODE {
    case O_RDONLY: parts.append("RDONLY")
    case O_WRONLY: parts.append("WRONLY")
    case O_RDWR: parts.append("RDWR")
    default: parts.append("ACC3")
    }
    rest &= ~O_ACCMODE
    let table: [(Int32, String)] = [
        (O_TMPFILE, "TMPFILE"), (O_CREAT, "CREAT"), (O_EXCL, "EXCL"), (O_TRUNC, "TRUNC"), (O_APPEND, "APPEND"),
        (O_DIRECTORY, "DIRECTORY"), (O_NOFOLLOW, "NOFOLLOW"), (O_PATH, "PATH"), (O_DIRECT, "DIRECT"),
        (O_NOATIME, "NOATIME"), (O_SYNC, "SYNC"), (O_DSYNC, "DSYNC"), (O_NONBLOCK, "NONBLOCK"), (O_NOCTTY, "NOCTTY"),
    ]
    for (bit, name) in table where rest & bit == bit {
        parts.append(name)
        rest &= ~bit
    }
    if rest != 0 { parts.append(String(rest, radix: 16)) }
    return parts.joined(separator: "|")
}

func renameFlags(_ flags: UInt32) -> String {
    let table: [(UInt32, String)] = [
        (RENAME_NOREPLACE, "NOREPLACE"), (RENAME_EXCHANGE, "EXCHANGE"), (RENAME_WHITEOUT, "WHITEOUT"),
    ]
    let parts = table.filter { flags & $0.0 != 0 }.map(\.1)
    let known = table.reduce(0) { $0 | $1.0 }
    return (parts + (flags & ~known == 0 ? [] : [String(flags & ~known, radix: 16)])).joined(separator: "|")
}

/// Short texts as they are, longer ones as length and hash.
func showBytes(_ bytes: [UInt8]) -> String {
    bytes.count <= 48 ? "'" + escaped(bytes) + "'" : "\(bytes.count)#" + hex64(ContentHash.of(bytes))
}

func hex64(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}
