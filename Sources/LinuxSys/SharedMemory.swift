internal import CShims
internal import Glibc

/// A file's pages in this process's memory, shared with everybody who maps the same file. The length is address space;
/// pages take memory when first touched.
@safe
public final class SharedMemory: @unchecked Sendable {
    public let base: UnsafeMutableRawPointer
    public let length: Int
    private let file: OwnedFD

    /// - Parameter addresses: the first of them that is free, and nowhere else (EEXIST where something is at the
    ///   last); 0: anywhere.
    public init(file: consuming OwnedFD, length: Int, writable: Bool, at addresses: [UInt] = [0]) throws(Errno) {
        var code: Int32 = EINVAL
        var mapped: UnsafeMutableRawPointer?
        for address in addresses where unsafe mapped == nil {
            unsafe mapped = unsafe cs_map_shared(file.number, length, writable ? 1 : 0, address, &code)
        }
        guard let found = unsafe mapped else { throw Errno(code) }
        unsafe base = found
        self.length = length
        self.file = file
    }
    /// Memory without a name, zeroed, that a descriptor can carry to another process (memfd_create(2)).
    public convenience init(name: StaticString, length: Int) throws(Errno) {
        try self.init(file: try SharedMemory.file(name: name, length: length), length: length, writable: true)
    }
    /// The same at an address that another program will find free, too: far from where the kernel puts programs, heaps,
    /// libraries and stacks. Where that cannot be had (an address space of 39 bits knows only the second), anywhere.
    public convenience init(name: StaticString, lastingLength length: Int) throws(Errno) {
        try self.init(
            file: try SharedMemory.file(name: name, length: length), length: length, writable: true,
            at: [0x1000_0000_0000, 0x10_0000_0000, 0])
    }
    deinit { _ = unsafe cs_unmap(base, length) }

    /// No file where this user may have none of that length (RLIMIT_FSIZE, a hard limit): what is mapped then is shared
    /// with forked processes alone.
    private static func file(name: StaticString, length: Int) throws(Errno) -> OwnedFD {
        do throws(Errno) {
            let file = try anonymousFile(name: name)
            try file.fd.truncate(Int64(length))
            return file
        } catch {
            guard error == .fileTooLarge else { throw error }
            return OwnedFD(adopting: -1)
        }
    }

    /// An empty file in memory (memfd_create(2)).
    public static func anonymousFile(name: StaticString) throws(Errno) -> OwnedFD {
        OwnedFD(adopting: Int32(try checked { unsafe cs_memfd(name.pointer) }))
    }

    /// None where there is no file.
    public var fd: FD { file.fd }
    public static var pageSize: Int { cs_align_page() }
    /// Gives whole pages back to the system; they read as zero afterwards.
    public func discard(from: Int, length: Int) { _ = unsafe cs_punch(base + from, length) }
}

extension StaticString {
    fileprivate var pointer: UnsafePointer<CChar> {
        unsafe UnsafeRawPointer(utf8Start).assumingMemoryBound(to: CChar.self)
    }
}

/// Atomics on words of mapped memory. Relaxed unless named otherwise.
public enum Atomics {
    @inline(__always) public static func load(_ p: UnsafePointer<UInt64>) -> UInt64 { unsafe cs_load64(p) }
    @inline(__always) public static func load(_ p: UnsafePointer<UInt32>) -> UInt32 { unsafe cs_load32(p) }
    @inline(__always) public static func loadAcquire(_ p: UnsafePointer<UInt64>) -> UInt64 {
        unsafe cs_load64_acquire(p)
    }
    @inline(__always) public static func loadAcquire(_ p: UnsafePointer<UInt32>) -> UInt32 {
        unsafe cs_load32_acquire(p)
    }
    @inline(__always) public static func store(_ p: UnsafeMutablePointer<UInt64>, _ v: UInt64) {
        unsafe cs_store64(p, v)
    }
    @inline(__always) public static func storeRelease(_ p: UnsafeMutablePointer<UInt64>, _ v: UInt64) {
        unsafe cs_store64_release(p, v)
    }
    @inline(__always) public static func storeRelease(_ p: UnsafeMutablePointer<UInt32>, _ v: UInt32) {
        unsafe cs_store32_release(p, v)
    }
    @inline(__always) @discardableResult
    public static func add(_ p: UnsafeMutablePointer<UInt64>, _ v: UInt64) -> UInt64 { unsafe cs_add64(p, v) }
    @inline(__always) @discardableResult
    public static func or(_ p: UnsafeMutablePointer<UInt32>, _ v: UInt32) -> UInt32 { unsafe cs_or32(p, v) }
    @inline(__always) @discardableResult
    public static func and(_ p: UnsafeMutablePointer<UInt32>, _ v: UInt32) -> UInt32 { unsafe cs_and32(p, v) }
}
