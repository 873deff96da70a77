internal import FuseKit
internal import LinuxSys
internal import UnionCore

/// Going on where a process that was killed has stopped. Descriptors are those of all processes of a mount
/// (`Process.forkSharingFiles`), so that what records stand for is still open.
extension UnionFileSystem {
    func clearAway() {
        for id in unusedBackings { connection?.closeBacking(id) }
        unusedBackings = []
        for slot in slots {
            for id in slot.backings where !table.hasBacking(id) { connection?.closeBacking(id) }
            slot.clearBackings()
        }
        closeForgotten(slots)
        stack.cleanWork()
        for slot in slots where slot.copying != 0 {
            finishCopy(slot.copying)
            slot.clearCopying()
        }
    }

    /// What the process before had open for itself: clones of /dev/fuse, directories of its cache, what its requests
    /// were about to use.
    private func closeForgotten(_ slots: [InflightSlot]) {
        var kept = Set(inherited)
        kept.insert(region.program)
        table.forEachDescriptor { kept.insert($0) }
        handles.forEachOpen { handle in
            kept.insert(handle.fd)
            kept.insert(handle.upperFD)
        }
        for slot in slots where slot.state == .begun {
            kept.insert(slot.orphan.raw)
            kept.insert(slot.data.raw)
        }
        for number in Process.openDescriptors where !kept.contains(number) { FD(raw: number).close() }
    }

    /// A copy-up was at the point of showing its copy: whether it did, the upper layer says. Nobody else makes that
    /// name there.
    private func finishCopy(_ node: UInt32) {
        guard !table[node].flags.contains(.upper) else { return }
        var location = InodeTable.Location()
        guard table.locate(node, &location) else { return }
        do throws(Errno) {
            try withDirectory(location.parent, exclusive: true) { (directory) throws(Errno) in
                try location.name.withRef { (name) throws(Errno) in
                    guard let found = try stack.lookup(directory.parts, name), found.isInUpper else { return }
                    if let own = found.directory { directories.put(node, own) }
                    listings.remove(location.parent)
                    table.copiedUp(
                        node, location.parent, name, indexed: found.indexName != nil,
                        dataBlocks: found.isMetacopy ? found.dataBlocks ?? NodeRecord.unknownBlocks : nil,
                        size: found.status.size, hasName: !found.isShownFromIndex,
                        number: found.directory == nil ? found.ino : nil)
                }
            }
        } catch {
            // The request that wanted it comes again and gets the error.
        }
    }

    func undoRequest(_ slot: InflightSlot) {
        table.undo(slot)
        if slot.handle != 0 {
            released(UInt64(slot.handle))
            slot.clearHandle()
        }
    }

    /// A request that comes again finds that the name is gone from the layers already.
    func isGone(_ directory: borrowing HeldDirectory, _ name: NameRef) throws(Errno) -> Bool {
        try stack.lookup(directory.parts, name) == nil
    }
}
