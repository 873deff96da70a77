import CShims
import Glibc

/// System calls on attributes: status, owner, mode, times, extended attributes, file flags, statfs.
extension Sys {

    /// Not through a symlink, unless flags say otherwise; name "" is the descriptor itself.
    static func status(_ name: Name, flags: Int32 = AT_SYMLINK_NOFOLLOW, at dir: Int32 = AT_FDCWD) -> (Int, Status) {
        var status = cs_status()
        let empty = name.isEmpty ? AT_EMPTY_PATH : 0
        let result = unsafe name.withPointer { unsafe cs_statx(dir, $0, flags | empty, &status) }
        return (result, Status(status))
    }

    static func status(fd: Int32) -> (Int, Status) { status("", flags: 0, at: fd) }

    /// chmod(2): follows symlinks.
    static func chmod(_ name: Name, _ mode: UInt32, at dir: Int32 = AT_FDCWD) -> Int {
        unsafe name.withPointer { unsafe answer(Int(fchmodat(dir, $0, mode, 0))) }
    }

    static func chmodNoFollow(_ name: Name, _ mode: UInt32, at dir: Int32 = AT_FDCWD) -> Int {
        unsafe name.withPointer { unsafe cs_chmod_at(dir, $0, mode) }
    }

    static func fchmod(_ fd: Int32, _ mode: UInt32) -> Int { cs_fchmod(fd, mode) }

    /// -1 keeps what is there.
    static func chown(
        _ name: Name, _ uid: Int, _ gid: Int, flags: Int32 = AT_SYMLINK_NOFOLLOW,
        at dir: Int32 = AT_FDCWD
    ) -> Int {
        unsafe name.withPointer {
            unsafe cs_fchownat(dir, $0, UInt32(truncatingIfNeeded: uid), UInt32(truncatingIfNeeded: gid), flags)
        }
    }

    static func fchown(_ fd: Int32, _ uid: Int, _ gid: Int) -> Int { chown("", uid, gid, flags: AT_EMPTY_PATH, at: fd) }

    static func utimens(
        _ name: Name, access: Moment, modify: Moment, flags: Int32 = AT_SYMLINK_NOFOLLOW,
        at dir: Int32 = AT_FDCWD
    ) -> Int {
        let times = [access.raw, modify.raw]
        return unsafe name.withPointer { n in
            unsafe times.withUnsafeBufferPointer { unsafe cs_utimensat(dir, n, $0.baseAddress, flags) }
        }
    }

    static func futimens(_ fd: Int32, access: Moment, modify: Moment) -> Int {
        let times = [access.raw, modify.raw]
        return unsafe times.withUnsafeBufferPointer { unsafe answer(Int(Glibc.futimens(fd, $0.baseAddress))) }
    }

    static func access(_ name: Name, _ mode: Int32, flags: Int32 = 0, at dir: Int32 = AT_FDCWD) -> Int {
        unsafe name.withPointer { unsafe cs_faccessat2(dir, $0, mode, flags) }
    }

    // MARK: Extended attributes, never through a symlink; name "" is the descriptor itself

    static func getxattr(_ name: Name, _ attribute: Name, size: Int = 65536, at dir: Int32 = AT_FDCWD) -> (Int, [UInt8])
    {
        var buffer = [UInt8](repeating: 0, count: max(size, 1))
        let result = unsafe name.withPointer { n in
            unsafe attribute.withPointer { a in
                unsafe buffer.withUnsafeMutableBytes { unsafe cs_getxattr_at(dir, n, a, $0.baseAddress, size) }
            }
        }
        // Size 0 asks for the length only.
        return (result, size == 0 ? [] : Array(buffer.prefix(max(0, result))))
    }

    static func setxattr(
        _ name: Name, _ attribute: Name, _ value: [UInt8], _ flags: Int32 = 0,
        at dir: Int32 = AT_FDCWD
    ) -> Int {
        unsafe name.withPointer { n in
            unsafe attribute.withPointer { a in
                unsafe value.withUnsafeBytes { unsafe cs_setxattr_at(dir, n, a, $0.baseAddress, $0.count, flags) }
            }
        }
    }

    static func removexattr(_ name: Name, _ attribute: Name, at dir: Int32 = AT_FDCWD) -> Int {
        unsafe name.withPointer { n in unsafe attribute.withPointer { unsafe cs_removexattr_at(dir, n, $0) } }
    }

    /// The names, sorted: their order is nobody's promise.
    static func listxattr(_ name: Name, size: Int = 65536, at dir: Int32 = AT_FDCWD) -> (Int, [Name]) {
        var buffer = [CChar](repeating: 0, count: max(size, 1))
        let result = unsafe name.withPointer { n in
            unsafe buffer.withUnsafeMutableBufferPointer { unsafe cs_listxattr_at(dir, n, $0.baseAddress, size) }
        }
        guard result > 0, size > 0 else { return (result, []) }
        let parts = buffer.prefix(result).split(separator: 0)
        return (result, parts.map { Name($0.map { UInt8(bitPattern: $0) }) }.sorted())
    }

    // MARK: File flags and the filesystem

    static func getflags(_ fd: Int32) -> (Int, UInt32) {
        var flags: UInt32 = 0
        let result = unsafe cs_getflags(fd, &flags)
        return (result, flags)
    }

    static func setflags(_ fd: Int32, _ flags: UInt32) -> Int { cs_setflags(fd, flags) }

    static func statfs(_ fd: Int32) -> (Int, cs_statfs) {
        var status = cs_statfs()
        let result = unsafe cs_fstatfs(fd, &status)
        return (result, status)
    }
}
