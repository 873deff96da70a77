internal import FuseKit
internal import Glibc
internal import LinuxSys
internal import MountState
internal import UnionCore

/// What is shown of an object, and what is tried again for want of resources.
extension UnionFileSystem {
    /// What stat(2) shows: the object's own, but the union's number, link count and owner. Of what a layer has: never
    /// twice.
    func shown(_ status: FileStatus, _ node: UInt32) -> FileStatus {
        table.seen(node, status)
        var status = status
        let record = table[node]
        status.ino = record.ino
        if record.flags.contains(.unlinked) {
            status.nlink = 0
        } else if status.isDirectory {
            // 0: what stands in for one that something is mounted over.
            if record.flags.contains(.merged) || status.nlink == 0 { status.nlink = 1 }
        } else if record.indexName != 0 {
            status.nlink = record.unionLinks
        }
        if !owners.isIdentity {
            status.uid = owners.seen(uid: status.uid)
            status.gid = owners.seen(gid: status.gid)
        }
        if record.showsOldVersion { status.size = record.oldSize }
        if stack.options.staticNlink, status.isDirectory, status.nlink > 0 { status.nlink = 1 }
        if record.flags.contains(.metacopy) {
            status.blocks =
                record.dataBlocks == NodeRecord.unknownBlocks ? (status.size &+ 511) / 512 : record.dataBlocks
        }
        return status
    }
    func attributes(_ node: UInt32) throws(Errno) -> FileStatus { shown(try objectStatus(node), node) }
    /// As its layer has it.
    func objectStatus(_ node: UInt32) throws(Errno) -> FileStatus {
        try withObject(node) { (fd, name, layer) throws(Errno) in try stack.status(fd, name, layer: layer) }
    }
    func entry(_ node: UInt32, _ status: FileStatus) -> Entry {
        Entry(
            node: table.id(node), generation: UInt64(table.instance), attributes: shown(status, node),
            attributeSeconds: settledSeconds(knownSeconds(node), node, status), entrySeconds: policy.seconds)
    }

    /// Again, once, for what failed for want of something that we can give back: descriptors of the cache; room on the
    /// disk that removed files still have, as the kernel forgets them a moment after rm(1) has returned.
    func withResources<R: ~Copyable>(_ body: () throws(Errno) -> R) throws(Errno) -> R {
        do throws(Errno) { return try body() } catch {
            switch error {
            case .tooManyOpenFiles, .fileTableOverflow:
                // Others take what is given back, too; and what was removed is closed a moment later, when the kernel
                // has forgotten it.
                for _ in 0..<20 {
                    directories.drain()
                    if !table.waitForOrphans(milliseconds: 4) { Clock.sleep(milliseconds: 1) }
                    do throws(Errno) { return try body() } catch {
                        guard error == .tooManyOpenFiles || error == .fileTableOverflow else { throw error }
                    }
                }
                directories.drain()
            case .noSpace, .quotaExceeded:
                if !table.waitForOrphans(milliseconds: 50) { throw error }
            default: throw error
            }
            return try body()
        }
    }
}
