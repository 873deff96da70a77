internal import LinuxSys

/// A stream as a file, for what must be read more than once.
enum ArchiveSpool {
    static func copy(_ source: FD, to target: FD) throws(StoreError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
        defer { unsafe buffer.deallocate() }
        while true {
            let n = try told("standard input") { () throws(Errno) in unsafe try source.readStream(into: buffer) }
            if n == 0 { return }
            var rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<n])
            while unsafe !rest.isEmpty {
                let done = try told("the store's tmp") { () throws(Errno) in unsafe try target.writeStream(rest) }
                unsafe rest = unsafe UnsafeRawBufferPointer(rebasing: rest[done...])
            }
        }
    }
}
