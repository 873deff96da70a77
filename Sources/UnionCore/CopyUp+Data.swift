internal import Glibc
internal import LinuxSys

/// A file's contents: shared by reflink where the filesystem can, else copied by the kernel, else through our memory;
/// holes stay holes.
extension LayerStack {
    /// - Parameters:
    ///   - size: that the copy has in the end; `stored`: of the file that has the data. They differ in a hostile
    ///     layer only.
    func copyData(
        from: FD, to: FD, size: UInt64, stored: FileStatus, _ extent: CopyUpExtent
    ) throws(Errno) -> (bytes: UInt64, isReflinked: Bool) {
        var length = min(size, stored.size)
        if case .prefix(let limit) = extent { length = min(length, limit) }
        if length == 0 { return (0, false) }

        if length == size, length == stored.size, stored.dev == upperLayer?.device, !reflinkFails.load() {
            try step(.cloneData)
            do throws(Errno) {
                try to.reflink(from: from)
                return (length, true)
            } catch {
                switch error {
                case .notSupported, .crossDevice, .notTTY, .invalid, .notImplemented: reflinkFails.store()
                default: throw error
                }
            }
        }
        let end = Int64(clamping: length)
        if length <= Self.smallFile, stored.blocks &* 512 >= stored.size {
            try step(.copyData)
            // What is missing, of a lower layer that changes under us, is told below.
            if try to.copySmall(from: from, length: Int(length)) == Int(length) {
                try beginCopySync(to)
                return (length, false)
            }
        }
        var pace = CopyPace(goesToDisk: !options.isVolatile)
        if stored.blocks &* 512 >= stored.size {
            try copyRange(from, to, 0, end, &pace)
        } else {
            try copyDataBetweenHoles(from, to, end, &pace)
        }
        try beginCopySync(to)
        return (length, false)
    }
    /// A read and a write: copy_file_range(2) takes some 15 µs more, as it moves pages through a pipe of its own.
    private static let smallFile: UInt64 = 16 << 10

    private func copyDataBetweenHoles(_ from: FD, _ to: FD, _ end: Int64, _ pace: inout CopyPace) throws(Errno) {
        var position: Int64 = 0
        while position < end {
            let data: Int64
            do throws(Errno) {
                data = try from.seek(position, Seek.data)
            } catch {
                switch error {
                case .noDeviceOrAddress:
                    position = end
                    continue
                case .invalid, .notSupported:
                    try copyRange(from, to, position, end, &pace)
                    return
                default: throw error
                }
            }
            if data >= end { break }
            let hole = min(try from.seek(data, Seek.hole), end)
            try copyRange(from, to, data, hole, &pace)
            position = hole
        }
        // A hole at the end has no data that would give the file its length.
        try step(.truncate)
        try to.truncate(end)
    }

    private func copyRange(_ from: FD, _ to: FD, _ start: Int64, _ end: Int64, _ pace: inout CopyPace) throws(Errno) {
        var position = start
        while position < end {
            try step(.copyData)
            let copied: Int
            do throws(Errno) {
                copied = try to.copyRange(
                    from: from, sourceOffset: position, offset: position,
                    length: Int(min(end - position, CopyPace.step)))
            } catch {
                switch error {
                case .crossDevice, .invalid, .notSupported, .notImplemented, .notPermitted:
                    try copyThroughMemory(from, to, position, end, &pace)
                    return
                default: throw error
                }
            }
            // Some filesystems answer 0 instead of an error for what they cannot.
            if copied == 0 {
                try copyThroughMemory(from, to, position, end, &pace)
                return
            }
            position += Int64(copied)
            try pace.advanced(to, to: position)
        }
    }

    private func copyThroughMemory(
        _ from: FD, _ to: FD, _ start: Int64, _ end: Int64, _ pace: inout CopyPace
    ) throws(Errno) {
        var buffer = [UInt8](repeating: 0, count: Int(min(end - start, 1 << 20)))
        var position = start
        while position < end {
            let want = Int(min(end - position, Int64(buffer.count)))
            let got = try buffer.withLentMutable { (b) throws(Errno) in
                try from.read(into: b.prefix(want), at: position)
            }
            // Shorter than its size said: a lower layer that changes under us.
            if got == 0 { throw .io }
            var written = 0
            while written < got {
                let at = position + Int64(written)
                let skip = written
                let n = try buffer.withLent { (b) throws(Errno) in try to.write(b.prefix(got).dropping(skip), at: at) }
                if n == 0 { throw .io }
                written += n
            }
            position += Int64(got)
            try pace.advanced(to, to: position)
        }
    }
}
