public import LinuxSys

/// A READDIR or READDIRPLUS reply in the making: the kernel's `struct fuse_dirent(plus)` records, each padded to 8
/// bytes.
public struct DirectoryList {
    private let buffer: MutableBytes
    public private(set) var used = 0

    public init(_ buffer: MutableBytes) { self.buffer = buffer }

    /// False when there is no room: the entry was not added. `next`: the offset that continues behind this entry.
    public mutating func add(_ name: NameRef, ino: UInt64, kind: FileKind, next: UInt64) -> Bool {
        let size = (24 + name.count + 7) & ~7
        guard used + size <= buffer.count else { return false }
        WireFormat.putDirent(buffer.dropping(used).prefix(size), name, ino: ino, kind: kind, next: next)
        used += size
        return true
    }

    /// Room for an entry with attributes and a name of this length: ask before a lookup is counted.
    public func hasRoomPlus(nameLength: Int) -> Bool { used + ((152 + nameLength + 7) & ~7) <= buffer.count }

    /// `entry` with node 0: the kernel takes the name and asks for the rest when it wants it.
    public mutating func addPlus(_ name: NameRef, _ entry: Entry, ino: UInt64, kind: FileKind, next: UInt64) -> Bool {
        let size = (152 + name.count + 7) & ~7
        guard used + size <= buffer.count else { return false }
        let record = buffer.dropping(used).prefix(size)
        WireFormat.putEntry(record.prefix(128), entry)
        WireFormat.putDirent(record.dropping(128), name, ino: ino, kind: kind, next: next)
        used += size
        return true
    }
}
