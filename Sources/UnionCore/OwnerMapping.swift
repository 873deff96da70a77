/// Whose the objects are, in the layers and in the mount: `uidmapping`, `gidmapping`, `squash_to_root`,
/// `squash_to_uid`, `squash_to_gid`, as fuse-overlayfs has them. Layers keep what they have; copies keep their lower
/// object's owner.
public struct OwnerMapping: Sendable {
    /// Nothing is mapped: asked on every reply.
    public let isIdentity: Bool
    private let uids: [IDMapping], gids: [IDMapping]
    private let squashUID: UInt32?, squashGID: UInt32?
    /// What an owner without a counterpart is seen as (/proc/sys/kernel/overflowuid).
    public static let overflow: UInt32 = 65534

    public init(_ options: MountOptions) {
        uids = options.uidMapping
        gids = options.gidMapping
        squashUID = options.squashToUID ?? (options.squashToRoot ? 0 : nil)
        squashGID = options.squashToGID ?? (options.squashToRoot ? 0 : nil)
        isIdentity = uids.isEmpty && gids.isEmpty && squashUID == nil && squashGID == nil
    }

    public func seen(uid: UInt32) -> UInt32 { squashUID ?? Self.seen(uid, uids) }
    public func seen(gid: UInt32) -> UInt32 { squashGID ?? Self.seen(gid, gids) }
    /// Nil: there is no such owner in the layers.
    public func stored(uid: UInt32) -> UInt32? { squashUID ?? Self.stored(uid, uids) }
    public func stored(gid: UInt32) -> UInt32? { squashGID ?? Self.stored(gid, gids) }

    /// Of what a caller makes. Root of the machine, whom the mount does not know, stands for the root of the layers
    /// where that is mapped: an engine makes directories and symlinks through the mount before it starts a container in
    /// its namespace (podman's `--uidmap`).
    public func stored(callerUID id: UInt32) -> UInt32? {
        stored(uid: id) ?? (id == 0 && Self.knowsRoot(uids) ? 0 : nil)
    }
    public func stored(callerGID id: UInt32) -> UInt32? {
        stored(gid: id) ?? (id == 0 && Self.knowsRoot(gids) ? 0 : nil)
    }
    private static func knowsRoot(_ ranges: [IDMapping]) -> Bool { ranges.contains { $0.stored == 0 && $0.count > 0 } }

    private static func seen(_ id: UInt32, _ ranges: [IDMapping]) -> UInt32 {
        if ranges.isEmpty { return id }
        for range in ranges where id >= range.stored && id &- range.stored < range.count {
            return range.seen &+ (id &- range.stored)
        }
        return overflow
    }
    private static func stored(_ id: UInt32, _ ranges: [IDMapping]) -> UInt32? {
        if ranges.isEmpty { return id }
        for range in ranges where id >= range.seen && id &- range.seen < range.count {
            return range.stored &+ (id &- range.seen)
        }
        return nil
    }

    /// The value of `system.posix_acl_*` as the mount shows it.
    public func seen(acl value: [UInt8]) -> [UInt8] { mapped(value, { seen(uid: $0) }, { seen(gid: $0) }) ?? value }
    /// As a layer keeps it. Nil: it names somebody whom the layers cannot have.
    public func stored(acl value: [UInt8]) -> [UInt8]? { mapped(value, { stored(uid: $0) }, { stored(gid: $0) }) }

    /// struct posix_acl_xattr_header and _entry: a version, then a tag, permissions and an id in 2, 2 and 4 bytes,
    /// little endian. Only ACL_USER and ACL_GROUP have an id. What is not of this form is left to the filesystem to
    /// refuse.
    private func mapped(_ value: [UInt8], _ uid: (UInt32) -> UInt32?, _ gid: (UInt32) -> UInt32?) -> [UInt8]? {
        guard value.count >= 4, value.count % 8 == 4 else { return value }
        var value = value
        var at = 4
        while at + 8 <= value.count {
            let tag = UInt16(value[at]) | UInt16(value[at + 1]) << 8
            if tag == 0x02 || tag == 0x08 {
                var id: UInt32 = 0
                for i in 0..<4 { id |= UInt32(value[at + 4 + i]) << (8 * UInt32(i)) }
                guard let other = tag == 0x02 ? uid(id) : gid(id) else { return nil }
                for i in 0..<4 { value[at + 4 + i] = UInt8(truncatingIfNeeded: other >> (8 * UInt32(i))) }
            }
            at += 8
        }
        return value
    }
}
