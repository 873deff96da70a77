internal import Glibc
public import LinuxSys

/// The index directory (`index=on`, overlayfs's format): for each lower file with several names that was copied up, one
/// more link to its copy, under the name of its origin. So all lower names lead to one copy, and it is found again
/// after a remount.
public final class Index: Sendable {
    private let directory: OwnedFD
    private let xattrs: XattrNamespace

    init(directory: consuming OwnedFD, xattrs: XattrNamespace) {
        self.directory = directory
        self.xattrs = xattrs
    }
    public var fd: FD { directory.fd }

    /// Whether it is noted in both as theirs (`IndexVerification`).
    static func belongs(_ index: FD, to upper: FD, over lower: FD, _ xattrs: XattrNamespace) throws(Errno) -> Bool {
        func isNoted(_ attribute: OverlayXattr, on directory: FD, of layer: FD, flags: UInt8) throws(Errno) -> Bool {
            guard let value = try directory.xattrIfPresent(NameRef.empty, attribute.name(xattrs)) else { return false }
            return Origin(handle: try layer.handle(NameRef.empty), uuid: layer.filesystemUUID(), flags: flags)?.bytes
                == value
        }
        guard try isNoted(.origin, on: upper, of: lower, flags: 0) else { return false }
        return try isNoted(.upper, on: index, of: upper, flags: Origin.pathUpper)
    }

    func status(_ name: FileName) throws(Errno) -> FileStatus? {
        do throws(Errno) {
            return try name.withRef { (n) throws(Errno) in try fd.status(n) }
        } catch {
            if error == .noEntry { return nil }
            throw error
        }
    }

    /// st_nlink in the union. `overlay.nlink` holds it relative to the upper inode's own count ("U+1") or, while names
    /// are being linked, to the lower inode's ("L-1"), which does not change (ovl_set_nlink_common).
    func unionLinks(_ name: FileName, upper: UInt32, lower: UInt32) throws(Errno) -> UInt32 {
        let value = try name.withRef { (n) throws(Errno) in
            try fd.xattrIfPresent(n, OverlayXattr.nlink.name(xattrs))
        }
        // Without a note: what has names is at least the upper inode without its index entry.
        guard let value, let note = Self.parse(value) else { return max(upper, 2) - 1 }
        let base = Int64(note.relativeToUpper ? upper : lower)
        return UInt32(clamping: max(base + note.difference, 0))
    }

    /// For an entry without an upper name: whether its note leaves any name to the union (ovl_get_nlink). Relative to a
    /// lower count, which was written before the lower names were counted down, it does.
    func hasNamesLeft(_ name: FileName, upper: UInt32) throws(Errno) -> Bool {
        let value = try name.withRef { (n) throws(Errno) in try fd.xattrIfPresent(n, OverlayXattr.nlink.name(xattrs)) }
        guard let value, let note = Self.parse(value) else { return false }
        return !note.relativeToUpper || Int64(upper) + note.difference > 0
    }

    private static func parse(_ value: [UInt8]) -> (relativeToUpper: Bool, difference: Int64)? {
        guard value.count >= 3, value.count < 16, value[0] == UInt8(ascii: "U") || value[0] == UInt8(ascii: "L"),
            value[1] == UInt8(ascii: "+") || value[1] == UInt8(ascii: "-")
        else { return nil }
        var number: Int64 = 0
        for digit in value[2...] {
            guard digit >= 0x30, digit <= 0x39 else { return nil }
            number = number * 10 + Int64(digit - 0x30)
        }
        return (value[0] == UInt8(ascii: "U"), value[1] == UInt8(ascii: "-") ? -number : number)
    }

    /// Notes `links` of the union relative to a count of the upper or the lower inode.
    func noteLinks(_ directory: FD, _ name: NameRef, links: UInt32, relativeToUpper: Bool, count: UInt32) throws(Errno)
    {
        let difference = Int64(links) - Int64(count)
        let text = (relativeToUpper ? "U" : "L") + (difference < 0 ? "-" : "+") + String(difference.magnitude)
        try directory.setXattr(name, OverlayXattr.nlink.name(xattrs), Array(text.utf8))
    }

    /// Has the links counted from the copy, whatever they were counted from.
    /// - Precondition: nobody copies the file up meanwhile; who removes or adds a name has called this before.
    public func settleLinks(_ name: FileName, lowerLinks: UInt32) throws(Errno) {
        try name.withRef { (n) throws(Errno) in
            guard let value = try fd.xattrIfPresent(n, OverlayXattr.nlink.name(xattrs)), let note = Self.parse(value),
                !note.relativeToUpper
            else { return }
            let copy = try fd.status(n)
            try noteLinks(
                fd, n, links: UInt32(clamping: Int64(lowerLinks) + note.difference), relativeToUpper: true,
                count: copy.nlink)
        }
    }

    /// After a name of the union went: removes the entry when it was the last (ovl_cleanup_index).
    public func removeIfUnused(_ name: FileName) {
        do throws(Errno) {
            guard let copy = try status(name) else { return }
            // Relative to the upper inode here: names are unlinked only when they have an upper link.
            if try unionLinks(name, upper: copy.nlink, lower: copy.nlink) == 0 {
                try name.withRef { (n) throws(Errno) in try fd.unlink(n) }
            }
        } catch {
            // An entry too many is found and removed by the next mount with an index.
        }
    }
}
