internal import Glibc
internal import LinuxSys

/// The index of what was an upper layer, at a mount that has it as the uppermost of read-only layers: an engine that
/// tells the difference of a container's layer, or commits it, mounts it so, and does not name the work directory.
/// Without its index the union would show the lower file under each name that was not used itself.
///
/// It is looked for where engines have it, in `work` beside the layer, and is nobody else's: `overlay.upper` of the
/// index names the layer, `overlay.origin` of the layer the one below it. Whoever can write that can write the layer.
/// Nothing is written here, and the mount that it belongs to may go on meanwhile.
struct EarlierIndex: ~Copyable {
    /// What the option would name.
    let work: OwnedFD
    let index: Index
    /// What is opened through it cannot write.
    let isReadOnlyMount: Bool

    /// - Parameters:
    ///   - work: where it is; nil: beside the layer.
    ///   - held: open already.
    /// - Returns: nil where there is none, it is another's, or it is not for us to read.
    /// - Throws: what would show other contents than the layers have for want of a descriptor, say; and anything where
    ///   a program before this one had it.
    init?(_ layers: [Layer], _ xattrs: XattrNamespace, work: FileName?, held: FD?) throws(UnionError) {
        guard layers.count > 1, let top = layers.first, !top.isUpper, top.hasHandles, layers[1].hasHandles else {
            return nil
        }
        do throws(Errno) {
            let directory: OwnedFD
            if let held {
                directory = try held.openDirectory(NameRef.dot)
            } else {
                directory = try Self.open(work ?? top.path.appending(component: FileName("../work")))
            }
            let index = try directory.fd.openDirectory(NameRef("index"))
            guard try Index.belongs(index.fd, to: top.root.fd, over: layers[1].root.fd, xattrs) else { return nil }
            isReadOnlyMount = try directory.fd.filesystemStatus().flags & 1 == 1
            self.work = directory
            self.index = Index(directory: index, xattrs: xattrs)
        } catch {
            switch error {
            case .noEntry, .notDirectory, .accessDenied, .notPermitted, .notSupported, .overflow:
                if held == nil { return nil }
            default: break
            }
            throw UnionError(error, "the index of layer \(top.path) cannot be read: \(error.text)")
        }
    }

    private static func open(_ path: FileName) throws(Errno) -> OwnedFD {
        try path.withRef { (p) throws(Errno) in
            do throws(Errno) {
                let tree = try FD.cloneReadOnly(p)
                return try tree.fd.openDirectory(NameRef.dot)
            } catch {
                // Not allowed here, or not there.
            }
            return try FD.currentDirectory.open(p, O_RDONLY | O_DIRECTORY)
        }
    }
}
