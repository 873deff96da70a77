public import LinuxSys
internal import Synchronization

/// One layer's share of a merged directory: an open descriptor, and what overlay noted on the directory. Shared by the
/// merged directories that have it as a part; closed with the last of them.
public final class LayerDirectory: Sendable {
    /// Index of the layer in the stack.
    public let layer: Int
    /// st_size when it was opened: what reading it may cost.
    let size: UInt64
    /// st_dev of what is in it: on a filesystem of several (btrfs, overlayfs) not always the layer's; 0 where that was
    /// not asked.
    let device: UInt64
    /// Stands in for one that something is mounted over (`LayerStack.see`).
    let isCovered: Bool
    private let descriptor: OwnedFD
    public let markers: DirectoryMarkers
    private let impure: Atomic<Bool>
    private let xattrWhiteouts: Atomic<Bool>

    init(
        layer: Int, fd: consuming OwnedFD, markers: DirectoryMarkers, size: UInt64, device: UInt64 = 0,
        isCovered: Bool = false
    ) {
        self.layer = layer
        self.size = size
        self.device = device
        self.isCovered = isCovered
        descriptor = fd
        impure = Atomic(markers.impure)
        xattrWhiteouts = Atomic(markers.xattrWhiteouts)
        self.markers = markers
    }
    public var fd: FD { descriptor.fd }

    /// Some child here was copied up and keeps the inode number of its origin.
    public var isImpure: Bool { impure.load(ordering: .relaxed) }
    /// Zero-size files with `overlay.whiteout` in here are whiteouts.
    var hasXattrWhiteouts: Bool { xattrWhiteouts.load(ordering: .relaxed) }
    func noteXattrWhiteouts() { xattrWhiteouts.store(true, ordering: .relaxed) }
    func noteImpure() { impure.store(true, ordering: .relaxed) }
}

/// What a layer's directory says about merging it, read once when it is opened.
public struct DirectoryMarkers: Sendable {
    /// Nothing of the layers below shows through.
    public var opaque = false
    /// Zero-size files with `overlay.whiteout` in here are whiteouts (`opaque=x`).
    public var xattrWhiteouts = false
    public var impure = false
    /// The kernel's overlayfs noted it as immutable or append-only (`overlay.protattr`).
    public var protected = false
    /// Where the layers below keep this directory: one name beside the parent's, or a path from the root that begins
    /// with `/`.
    public var redirect: FileName?
    public init() {}
}
