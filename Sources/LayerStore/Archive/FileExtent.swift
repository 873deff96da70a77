internal import Glibc
internal import LinuxSys

/// A run of a file's data between its holes.
struct FileExtent: Equatable, Sendable {
    var offset: Int64
    var length: Int64
    var end: Int64 { offset + length }

    /// Holes of fewer bytes altogether are written as zeros: what keeps layers as archives and makes them again from
    /// files (tar-split, of podman and docker) reads a sparse file and cannot write it again.
    static let fewestHoles: Int64 = 16 << 20
    /// A hole of less is no gap in the data: each costs two numbers in the archive, and two calls.
    private static let smallestHole: Int64 = 64 << 10
    private static let most = 65536

    /// Where a file's data are; nil where it has no holes worth leaving out, or its filesystem does not tell.
    static func all(of file: FD, _ status: FileStatus) throws(Errno) -> [FileExtent]? {
        let size = Int64(clamping: status.size)
        // Two calls for most files would be two too many.
        guard size >= fewestHoles, Int64(clamping: status.blocks) * 512 <= size - fewestHoles else { return nil }
        var extents: [FileExtent] = []
        var at: Int64 = 0
        while at < size {
            let begin: Int64
            do throws(Errno) { begin = try file.seek(at, 3 /* SEEK_DATA */) } catch {
                // None behind it.
                if error.code == ENXIO { break }
                if error == .invalid || error == .notSupported { return nil }
                throw error
            }
            if begin >= size { break }
            let end = min(extents.count >= most ? size : try file.seek(begin, 4 /* SEEK_HOLE */), size)
            // Cut shorter meanwhile.
            if end <= begin { break }
            if let last = extents.last, begin - last.end < smallestHole {
                extents[extents.count - 1].length = end - last.offset
            } else {
                extents.append(FileExtent(offset: begin, length: end - begin))
            }
            at = end
        }
        return size - extents.reduce(0) { $0 + $1.length } >= fewestHoles ? extents : nil
    }
}
