internal import CShims
internal import Glibc

/// Reads a directory with getdents64(2). The descriptor's position moves: one reader at a time.
public struct DirectoryReader: ~Copyable {
    private let fd: FD
    private var buffer: [UInt8]

    /// `bufferSize`: what one system call may bring; 32 KiB is what glibc uses.
    public init(_ fd: FD, bufferSize: Int = 32768) {
        self.fd = fd
        buffer = [UInt8](repeating: 0, count: bufferSize)
    }

    public func rewind() throws(Errno) { _ = try fd.seek(0, SEEK_SET) }

    /// Calls with each entry but `.` and `..`: name, inode number, type. A body that answers false ends it.
    public mutating func forEach(_ body: (NameRef, UInt64, FileKind) throws(Errno) -> Bool) throws(Errno) {
        let number = fd.raw
        while true {
            let filled = try unsafe buffer.withMutableBytes { (b) throws(Errno) in
                try checked { unsafe cs_getdents64(number, b.baseAddress, b.count) }
            }
            if filled == 0 { return }
            let goOn = try unsafe buffer.withBytes { (b) throws(Errno) -> Bool in
                guard let base = b.baseAddress else { return false }
                var at = 0
                // struct linux_dirent64: u64 ino, s64 off, u16 reclen, u8 type, name.
                while at + 19 <= filled {
                    let ino = unsafe base.loadUnaligned(fromByteOffset: at, as: UInt64.self)
                    let length = Int(unsafe base.loadUnaligned(fromByteOffset: at + 16, as: UInt16.self))
                    let type = unsafe base.load(fromByteOffset: at + 18, as: UInt8.self)
                    if length < 19 || at + length > filled { throw Errno.io }
                    let name = unsafe NameRef(cString: (base + at + 19).assumingMemoryBound(to: CChar.self))
                    at += length
                    if name.isDotOrDotDot { continue }
                    if try !body(name, ino, FileKind(rawValue: type) ?? .unknown) { return false }
                }
                return true
            }
            if !goOn { return }
        }
    }
}
