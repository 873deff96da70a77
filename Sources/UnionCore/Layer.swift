public import LinuxSys

/// One directory of the stack: the writable upper one or a read-only lower one.
public final class Layer: Sendable {
    /// Position in the stack, 0 at the top. The upper layer, where there is one, is 0.
    public let index: Int
    public let isUpper: Bool
    /// As it was given, for messages.
    public let path: FileName
    /// The layer's root as a merged directory's part.
    public let root: LayerDirectory
    /// Which of the stack's filesystems it lies on, 0 for the first one met.
    public let filesystem: Int
    public let device: UInt64
    /// Of the filesystem, as overlay's `origin` names it.
    public let uuid: [UInt8]
    /// Its objects say by an attribute what they are to be seen as.
    public let override: OverrideForm?
    /// Owners are another's already when we see them: the layer lies on an id-mapped mount (mount_setattr(2)), as
    /// podman makes them of an image for another user namespace.
    public let isIDMapped: Bool
    /// Where inode numbers stand in its file handles; nil where that is not known.
    let handleForm: HandleForm?
    /// What is opened through it cannot write (ST_RDONLY of its mount).
    let isReadOnlyMount: Bool
    /// It has file handles at all.
    let hasHandles: Bool
    /// Of the root: what lies on another is not the layer's (`LayerStack.see`). 0 where the kernel does not tell.
    let mount: UInt64
    /// Something is mounted below it, or will be.
    let hasMountsBelow: Bool
    /// Objects of one directory may lie on several filesystems: what getdents(2) says of numbers is not enough.
    let holdsFilesystems: Bool
    let isOverlay: Bool
    /// Without file handles: what tells the root's filesystem at the next mount.
    let key: UInt64

    /// - Parameter mountpoints: where something will be mounted.
    init(
        index: Int, isUpper: Bool, path: FileName, root: consuming OwnedFD, filesystem: Int, status: FileStatus,
        override: OverrideForm?, isIDMapped: Bool,
        markers: DirectoryMarkers, isPrivate: Bool, mountpoints: [FileName], knowsUUID: Bool = true
    ) {
        let device = status.dev
        self.index = index
        self.isUpper = isUpper
        self.path = path
        self.filesystem = filesystem
        self.device = device
        self.override = override
        self.isIDMapped = isIDMapped
        uuid = knowsUUID ? root.fd.filesystemUUID() : [UInt8](repeating: 0, count: 16)
        mount = status.mountID
        hasMountsBelow = !isPrivate && MountsBelow.exist(root.fd, mount: status.mountID, others: mountpoints)
        var form: HandleForm?
        var named = false
        var type: UInt64 = 0
        do throws(Errno) {
            type = UInt64(truncatingIfNeeded: try root.fd.filesystemStatus().type)
            let handle = try root.fd.handle(NameRef.empty)
            named = true
            form = HandleForm(root: handle, ino: status.ino, filesystem: type)
        } catch {
            // Without handles there are no origins; the layer serves all the same.
        }
        isOverlay = type == Filesystems.overlayfs
        holdsFilesystems = type == Filesystems.btrfs || type == Filesystems.overlayfs
        // Not that of what an overlayfs is laid over, whose files have other numbers than its own.
        key = named ? 0 : ~Filesystems.key(root.fd, NameRef.empty, device: device)
        isReadOnlyMount = (try? root.fd.filesystemStatus().flags & 1) == 1
        handleForm = form
        hasHandles = named
        self.root = LayerDirectory(layer: index, fd: root, markers: markers, size: status.size, device: device)
    }
}
