import CShims
import Glibc

/// System calls, as thin as can be: each answers a value, or -errno. Names are relative to `dir`, which is the
/// current directory unless said otherwise. All uses of pointers of this program are in the files `Sys*.swift` and
/// in `Mapping.swift`; nothing outside of them is unsafe but the hash's loop.
enum Sys {
    /// errno is read in the statement after the call and nowhere else.
    static func answer(_ result: Int) -> Int { result < 0 ? -Int(errno) : result }

    // MARK: Opening

    static func open(_ name: Name, _ flags: Int32, _ mode: UInt32 = 0, at dir: Int32 = AT_FDCWD) -> Int {
        unsafe name.withPointer { unsafe cs_openat(dir, $0, flags, mode) }
    }

    /// A second descriptor of the same object, through /proc/self/fd.
    static func reopen(_ fd: Int32, _ flags: Int32) -> Int { cs_reopen(fd, flags) }

    @discardableResult
    static func close(_ fd: Int32) -> Int { cs_close(fd) }

    static func duplicate(_ fd: Int32) -> Int { cs_dup_cloexec(fd) }

    // MARK: Data

    static func read(_ fd: Int32, _ count: Int) -> (Int, [UInt8]) {
        unsafe fill(count) { unsafe cs_read(fd, $0.baseAddress, $0.count) }
    }

    static func pread(_ fd: Int32, _ count: Int, at offset: Int64) -> (Int, [UInt8]) {
        unsafe fill(count) { unsafe cs_pread(fd, $0.baseAddress, $0.count, offset) }
    }

    static func write(_ fd: Int32, _ bytes: [UInt8]) -> Int {
        unsafe bytes.withUnsafeBytes { unsafe cs_write(fd, $0.baseAddress, $0.count) }
    }

    static func pwrite(_ fd: Int32, _ bytes: [UInt8], at offset: Int64) -> Int {
        unsafe bytes.withUnsafeBytes { unsafe cs_pwrite(fd, $0.baseAddress, $0.count, offset) }
    }

    /// readv(2), or preadv(2) when an offset is given, into one buffer cut in pieces.
    static func readv(_ fd: Int32, _ lengths: [Int], at offset: Int? = nil) -> (Int, [UInt8]) {
        unsafe fill(lengths.reduce(0, +)) { buffer in
            let vector = unsafe pieces(of: buffer.baseAddress, lengths)
            guard let offset else { return unsafe answer(Glibc.readv(fd, vector, Int32(vector.count))) }
            return unsafe answer(Glibc.preadv(fd, vector, Int32(vector.count), offset))
        }
    }

    static func writev(_ fd: Int32, _ bytes: [UInt8], _ lengths: [Int]) -> Int {
        unsafe bytes.withUnsafeBytes { buffer in
            let vector = unsafe pieces(of: UnsafeMutableRawPointer(mutating: buffer.baseAddress), lengths)
            return unsafe cs_writev(fd, vector, Int32(vector.count))
        }
    }

    private static func pieces(of start: UnsafeMutableRawPointer?, _ lengths: [Int]) -> [iovec] {
        var vector: [iovec] = unsafe []
        var offset = 0
        for length in lengths {
            unsafe vector.append(iovec(iov_base: start.map { unsafe $0 + offset }, iov_len: length))
            offset += length
        }
        return unsafe vector
    }

    private static func fill(_ count: Int, _ call: (UnsafeMutableRawBufferPointer) -> Int) -> (Int, [UInt8]) {
        var buffer = [UInt8](repeating: 0xa5, count: count)
        let result = unsafe buffer.withUnsafeMutableBytes { unsafe call($0) }
        buffer.removeLast(count - max(0, min(result, count)))
        return (result, buffer)
    }

    static func seek(_ fd: Int32, _ offset: Int64, _ whence: Int32) -> Int { cs_lseek(fd, offset, whence) }
    static func ftruncate(_ fd: Int32, _ length: Int64) -> Int { cs_ftruncate(fd, length) }
    static func truncate(_ name: Name, _ length: Int) -> Int {
        unsafe name.withPointer { unsafe answer(Int(Glibc.truncate($0, length))) }
    }
    static func fallocate(_ fd: Int32, _ mode: Int32, _ offset: Int64, _ length: Int64) -> Int {
        cs_fallocate(fd, mode, offset, length)
    }
    static func fsync(_ fd: Int32) -> Int { cs_fsync(fd) }
    static func fdatasync(_ fd: Int32) -> Int { cs_fdatasync(fd) }
    static func syncfs(_ fd: Int32) -> Int { cs_syncfs(fd) }

    /// copy_file_range(2); a nil offset is the descriptor's own position.
    static func copyRange(
        _ from: Int32, _ offsetIn: Int64?, _ to: Int32, _ offsetOut: Int64?, _ count: Int,
        flags: UInt32 = 0
    ) -> Int {
        var input = offsetIn ?? 0
        var output = offsetOut ?? 0
        return unsafe withUnsafeMutablePointer(to: &input) { i in
            unsafe withUnsafeMutablePointer(to: &output) { o in
                unsafe cs_copy_file_range(from, offsetIn == nil ? nil : i, to, offsetOut == nil ? nil : o, count, flags)
            }
        }
    }

    static func sendfile(to: Int32, from: Int32, at offset: Int?, _ count: Int) -> Int {
        guard let offset else { return answer(Glibc.sendfile(to, from, nil, count)) }
        var position = offset
        return unsafe answer(Glibc.sendfile(to, from, &position, count))
    }

    /// splice(2), which the Glibc module hides (see Constants.swift): found by name in the C library.
    static func splice(_ from: Int32, _ to: Int32, _ count: Int) -> Int {
        typealias Function =
            @convention(c) (
                Int32, UnsafeMutablePointer<Int64>?, Int32, UnsafeMutablePointer<Int64>?, Int, UInt32
            ) -> Int
        guard let symbol = unsafe dlsym(nil, "splice") else { return -Int(ENOSYS) }
        let function = unsafe unsafeBitCast(symbol, to: Function.self)
        return answer(function(from, nil, to, nil, count, 0))
    }

    static func clone(_ to: Int32, _ from: Int32) -> Int { cs_ficlone(to, from) }

    /// Everything in a file from its start. Only for files of moderate size.
    static func contents(_ fd: Int32) -> (Int, [UInt8]) {
        var all: [UInt8] = []
        while true {
            let (result, bytes) = pread(fd, 1 << 17, at: Int64(all.count))
            if result < 0 { return (result, []) }
            if result == 0 { return (all.count, all) }
            all += bytes
        }
    }
}
