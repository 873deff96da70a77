import Glibc

/// A mapping of a file, or of nothing (fd -1): page-aligned memory, as O_DIRECT wants it.
@safe struct Mapping: ~Copyable {
    private let address: UnsafeMutableRawPointer
    let length: Int

    enum Outcome: ~Copyable {
        case mapped(Mapping)
        case failed(Int)
    }

    static func make(_ fd: Int32, _ length: Int, _ protection: Int32, _ flags: Int32, offset: Int = 0) -> Outcome {
        let result = unsafe mmap(nil, length, protection, flags, fd, offset)
        let code = -Int(errno)
        // MAP_FAILED is (void *)-1, which is not imported.
        guard let result = unsafe result, Int(bitPattern: result) != -1 else { return .failed(code) }
        return unsafe .mapped(Mapping(address: result, length: length))
    }

    private init(address: UnsafeMutableRawPointer, length: Int) {
        unsafe self.address = unsafe address
        self.length = length
    }

    deinit { unsafe munmap(address, length) }

    func bytes(_ range: Range<Int>) -> [UInt8] {
        precondition(range.lowerBound >= 0 && range.upperBound <= length)
        return unsafe Array(UnsafeRawBufferPointer(start: address + range.lowerBound, count: range.count))
    }

    func store(_ bytes: [UInt8], at offset: Int) {
        precondition(offset >= 0 && offset + bytes.count <= length)
        unsafe (address + offset).copyMemory(from: bytes, byteCount: bytes.count)
    }

    func sync() -> Int { unsafe Sys.answer(Int(msync(address, length, MS_SYNC))) }

    // Reads and writes through this memory, for O_DIRECT.
    func pread(_ fd: Int32, at offset: Int, count: Int, from start: Int = 0) -> Int {
        precondition(start + count <= length)
        return unsafe Sys.answer(Glibc.pread(fd, address + start, count, offset))
    }

    func pwrite(_ fd: Int32, at offset: Int, count: Int, from start: Int = 0) -> Int {
        precondition(start + count <= length)
        return unsafe Sys.answer(Glibc.pwrite(fd, address + start, count, offset))
    }
}
