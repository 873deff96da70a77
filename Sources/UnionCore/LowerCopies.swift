public import LinuxSys

/// The index of an upper layer, for who reads the layers without the mount: a commit, a difference. A lower file with
/// several names that was copied up, or lost a name, has its copy there, and the union shows that under each of its
/// lower names, most of which the upper layer does not have.
///
/// Nothing is written, and the mount may go on meanwhile.
public final class LowerCopies: Sendable {
    private let directory: OwnedFD
    public var fd: FD { directory.fd }
    public struct Copy: Sendable {
        /// In the index.
        public let name: FileName
        public let ino: UInt64
        /// Its own, the one in the index among them.
        public let links: UInt32
        public let blocks: UInt64
        fileprivate let origin: Origin
    }
    private let copies: [FileName: Copy]
    public var all: [Copy] { Array(copies.values) }
    private let onlyRegular: Bool
    /// By layer: of the filesystem, and the numbers that the copies' origins have there; nil where the form of its
    /// handles is not known.
    private let layers: [(uuid: [UInt8], numbers: Set<UInt64>?)]

    /// Nil where the mount has no index either: none was made, or it belongs to other layers (`IndexVerification`).
    /// - Parameters:
    ///   - work: the work directory.
    ///   - lowers: the uppermost first.
    public init?(upper: FD, work: FD, lowers: [FD]) throws(Errno) {
        do throws(Errno) { directory = try work.openDirectory(NameRef("index")) } catch {
            if error == .noEntry { return nil }
            throw error
        }
        let index = directory.fd
        guard let top = lowers.first, let space = try Self.namespace(index) else { return nil }
        guard try Index.belongs(index, to: upper, over: top, space) else { return nil }
        onlyRegular = space == .user
        copies = try Self.read(index)
        var layers: [(uuid: [UInt8], numbers: Set<UInt64>?)] = []
        for lower in lowers {
            let uuid = lower.filesystemUUID()
            layers.append((uuid, try Self.numbers(copies.values, lower, uuid)))
        }
        self.layers = layers
    }

    private static func namespace(_ index: FD) throws(Errno) -> XattrNamespace? {
        for space in [XattrNamespace.trusted, .user]
        where try index.xattrIfPresent(NameRef.empty, OverlayXattr.upper.name(space)) != nil { return space }
        return nil
    }
    private static func read(_ index: FD) throws(Errno) -> [FileName: Copy] {
        var copies: [FileName: Copy] = [:]
        var reader = DirectoryReader(index)
        try reader.rewind()
        try reader.forEach { (name, _, _) throws(Errno) in
            let entry = name.owned
            guard let origin = Origin(indexName: entry) else { return true }
            let status: FileStatus
            do throws(Errno) { status = try index.status(name) } catch {
                // The mount may be at work.
                if error == .noEntry { return true }
                throw error
            }
            // Whiteouts and directories are of nfs_export.
            if !status.isDirectory, !Whiteout.isDevice(status) {
                copies[entry] = Copy(
                    name: entry, ino: status.ino, links: status.nlink, blocks: status.blocks, origin: origin)
            }
            return true
        }
        return copies
    }

    private static func numbers(
        _ copies: some Sequence<Copy>, _ lower: FD, _ uuid: [UInt8]
    ) throws(Errno) -> Set<UInt64>? {
        let filesystem = try lower.filesystemStatus().type
        guard
            let form = HandleForm(
                root: try lower.handle(NameRef.empty), ino: try lower.status().ino,
                filesystem: UInt64(truncatingIfNeeded: filesystem))
        else { return nil }
        var numbers: Set<UInt64> = []
        for copy in copies where copy.origin.uuid.elementsEqual(uuid) {
            guard let number = form.number(of: copy.origin.handle) else { return nil }
            numbers.insert(number)
        }
        return numbers
    }

    /// What the union shows in place of a lower file. Nothing but a look into a table for most.
    /// - Parameters:
    ///   - directory: of the lower layer at that position.
    ///   - number: d_ino of the name.
    public func copy(of name: NameRef, in directory: FD, layer: Int, number: UInt64) throws(Errno) -> Copy? {
        guard !copies.isEmpty, layer < layers.count, layers[layer].numbers?.contains(number) != false else {
            return nil
        }
        let status = try directory.status(name)
        // As `LayerStack.lookup` has it.
        guard !status.isDirectory, status.nlink > 1, status.isRegular || !onlyRegular else { return nil }
        guard let origin = Origin(handle: try directory.handle(name), uuid: layers[layer].uuid) else { return nil }
        return copies[origin.indexName]
    }
}
