internal import LinuxSys

/// How a filesystem writes an inode's number into its file handles. It is read out of the handle then, without a system
/// call and without the privilege that open_by_handle_at(2) asks for. Only of filesystems whose form is known, and
/// where the layer's root proves it.
struct HandleForm: Equatable, Sendable {
    private enum Number { case first32, first64, second64 }
    private let number: Number
    private let type: Int32
    private let length: Int
    /// btrfs: the subvolume, whose numbers are its own.
    private let volume: UInt64?

    /// - Parameters: of the root of a layer: its handle, its st_ino, and what statfs(2) says its filesystem is.
    init?(root handle: FileHandle, ino: UInt64, filesystem: UInt64) {
        let known: (number: Number, length: Int)? =
            switch (filesystem, handle.type) {
            // generic_encode_ino32_fh: ext4, xfs with small numbers, squashfs, f2fs, erofs.
            case (0xef53, 1), (0x5846_5342, 1), (0x7371_7368, 1), (0xf2f5_2010, 1), (0xe0f5_e1e2, 1): (.first32, 8)
            // xfs_fileid_length without a parent; FILEID_INO64_GEN of erofs.
            case (0x5846_5342, 0x81), (0xe0f5_e1e2, 0x81): (.first64, 12)
            // btrfs_encode_fh: objectid, root_objectid, generation.
            case (0x9123_683e, 0x4d): (.first64, 20)
            // shmem_encode_fh: generation, then the number's two halves.
            case (0x0102_1994, 1): (.second64, 12)
            default: nil
            }
        guard let known, handle.bytes.count == known.length else { return nil }
        number = known.number
        type = handle.type
        length = known.length
        volume = Filesystems.volume(of: handle)
        guard self.number(of: handle) == ino else { return nil }
    }

    var hasVolumes: Bool { volume != nil }

    /// Of a filesystem that is not known, by the shape alone: of those that overlayfs is laid over. Of a btrfs
    /// subvolume it is not enough.
    static func number(of handle: FileHandle) -> UInt64? {
        switch (handle.type, handle.bytes.count) {
        case (1, 8): little(handle.bytes[0..<4])
        case (0x81, 12): little(handle.bytes[0..<8])
        case (1, 12): little(handle.bytes[4..<12])
        default: nil
        }
    }

    /// Nil for a handle of another form, or of another subvolume.
    func number(of handle: FileHandle) -> UInt64? {
        guard let place = place(of: handle), place.isRootVolume else { return nil }
        return place.ino
    }
    /// The same with the subvolume, which may not be that of the layer's root; 0 where there are none.
    func place(of handle: FileHandle) -> (ino: UInt64, volume: UInt64, isRootVolume: Bool)? {
        guard handle.type == type, handle.bytes.count == length else { return nil }
        let ino =
            switch number {
            case .first32: Self.little(handle.bytes[0..<4])
            case .first64: Self.little(handle.bytes[0..<8])
            case .second64: Self.little(handle.bytes[4..<12])
            }
        let own = Filesystems.volume(of: handle)
        return (ino, own ?? 0, own == volume)
    }
    private static func little(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
