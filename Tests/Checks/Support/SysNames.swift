import CShims
import Glibc

/// System calls that change or read names.
extension Sys {
    static func mkdir(_ name: Name, _ mode: UInt32, at dir: Int32 = AT_FDCWD) -> Int {
        unsafe name.withPointer { unsafe cs_mkdirat(dir, $0, mode) }
    }

    static func mknod(_ name: Name, _ mode: UInt32, _ device: UInt64 = 0, at dir: Int32 = AT_FDCWD) -> Int {
        unsafe name.withPointer { unsafe cs_mknodat(dir, $0, mode, device) }
    }

    static func symlink(_ target: Name, _ name: Name, at dir: Int32 = AT_FDCWD) -> Int {
        unsafe target.withPointer { t in unsafe name.withPointer { unsafe cs_symlinkat(t, dir, $0) } }
    }

    static func link(
        _ old: Name, _ new: Name, flags: Int32 = 0, at dir: Int32 = AT_FDCWD,
        newDir: Int32? = nil
    ) -> Int {
        unsafe old.withPointer { o in unsafe new.withPointer { unsafe cs_linkat(dir, o, newDir ?? dir, $0, flags) } }
    }

    /// Gives a name to what is open, an O_TMPFILE for instance.
    static func link(fd: Int32, _ new: Name, at dir: Int32 = AT_FDCWD) -> Int {
        unsafe new.withPointer { unsafe cs_link_fd(fd, dir, $0) }
    }

    static func unlink(_ name: Name, at dir: Int32 = AT_FDCWD) -> Int {
        unsafe name.withPointer { unsafe cs_unlinkat(dir, $0, 0) }
    }

    static func rmdir(_ name: Name, at dir: Int32 = AT_FDCWD) -> Int {
        unsafe name.withPointer { unsafe cs_unlinkat(dir, $0, AT_REMOVEDIR) }
    }

    static func rename(
        _ old: Name, _ new: Name, _ flags: UInt32 = 0, at dir: Int32 = AT_FDCWD,
        newDir: Int32? = nil
    ) -> Int {
        unsafe old.withPointer { o in unsafe new.withPointer { unsafe cs_renameat2(dir, o, newDir ?? dir, $0, flags) } }
    }

    static func readlink(_ name: Name, size: Int = 4096, at dir: Int32 = AT_FDCWD) -> (Int, [UInt8]) {
        var buffer = [CChar](repeating: 0, count: max(size, 1))
        let result = unsafe name.withPointer { n in
            unsafe buffer.withUnsafeMutableBufferPointer { unsafe cs_readlinkat(dir, n, $0.baseAddress, size) }
        }
        return (result, buffer.prefix(max(0, result)).map { UInt8(bitPattern: $0) })
    }

    static func chdir(_ name: Name) -> Int { unsafe name.withPointer { unsafe answer(Int(Glibc.chdir($0))) } }
    static func fchdir(_ fd: Int32) -> Int { answer(Int(Glibc.fchdir(fd))) }

    // MARK: Reading directories

    struct Entry: Equatable {
        var name: Name
        var ino: UInt64
        var kind: UInt8
        var offset: Int64
    }

    /// One getdents64(2); an empty list is the end.
    static func entries(_ fd: Int32, buffer size: Int = 32768) -> (Int, [Entry]) {
        var buffer = [UInt8](repeating: 0, count: size)
        let result = unsafe buffer.withUnsafeMutableBytes { unsafe cs_getdents64(fd, $0.baseAddress, $0.count) }
        guard result > 0 else { return (result, []) }
        var found: [Entry] = []
        var at = 0
        unsafe buffer.withUnsafeBytes { raw in
            // struct linux_dirent64: d_ino 8, d_off 8, d_reclen 2, d_type 1, d_name
            while at + 19 <= result {
                let length = unsafe Int(raw.loadUnaligned(fromByteOffset: at + 16, as: UInt16.self))
                let name = unsafe raw[(at + 19)..<(at + length)].prefix { $0 != 0 }
                unsafe found.append(
                    Entry(
                        name: Name(name),
                        ino: raw.loadUnaligned(fromByteOffset: at, as: UInt64.self),
                        kind: raw[at + 18],
                        offset: raw.loadUnaligned(fromByteOffset: at + 8, as: Int64.self)))
                at += length
            }
        }
        return (result, found)
    }

    /// All entries of a directory from its start, `.` and `..` among them.
    static func allEntries(_ fd: Int32) -> (Int, [Entry]) {
        let start = seek(fd, 0, SEEK_SET)
        if start < 0 { return (start, []) }
        var all: [Entry] = []
        while true {
            let (result, some) = entries(fd)
            if result < 0 { return (result, []) }
            if result == 0 { return (all.count, all) }
            all += some
        }
    }
}
