internal import FuseKit
internal import LinuxSys
internal import UnionCore

/// Which requests change what the upper layer takes (`UpperUsage`), and the answer. While nobody has asked, each costs
/// one load.
extension UnionFileSystem {
    /// Asked for of the root, with getxattr(2): the bytes, a blank, and how many objects may still change by
    /// themselves, as decimal digits. No list of attributes has it.
    static func isUsageQuestion(_ node: UInt64, _ name: NameRef) -> Bool {
        node == 1 && name.equals("user.unionfsd.usage")
    }

    // ---- announcements: before the change, and with no directory's lock held ----

    /// Holds the node until `changed`; 0 where there is nothing to hold. One statx for an upper object that is not
    /// noted yet.
    func willChange(_ node: UInt32) -> UInt32 {
        guard usage.isOn else { return 0 }
        do throws(Errno) {
            while case .unknown(let epoch) = usage.hold(node) {
                let record = table[node]
                if record.flags.contains(.unlinked) || record.flags.contains(.superseded) { return 0 }
                if usage.note(node, record.flags.contains(.upper) ? try upperBlocks(node) : 0, epoch: epoch) { break }
            }
            return node
        } catch {
            // Gone meanwhile: whoever took it away has said so.
            if error != .noEntry && error != .stale { usage.giveUp() }
            return 0
        }
    }
    private func willChange(_ id: UInt64) -> UInt32 { (try? table.node(id)).map { willChange($0) } ?? 0 }
    func changed(_ node: UInt32) { if node != 0, usage.release(node) { settleUsage() } }

    func changing<R>(_ id: UInt64, _ change: () throws(Errno) -> R) throws(Errno) -> R {
        guard usage.isOn else { return try change() }
        let node = willChange(id)
        defer { changed(node) }
        return try change()
    }
    /// Its blocks may have changed for as long as it was open: from now on it is quiet. Nothing where it is not noted.
    func closing(_ id: UInt64, _ close: () -> Void) {
        guard usage.isOn, let node = try? table.node(id), case .known = usage.hold(node) else { return close() }
        close()
        changed(node)
    }
    private func wasMade(_ id: UInt64) { if let node = try? table.node(id) { usage.made(node) } }

    func making(_ parent: UInt64, _ make: () throws(Errno) -> Entry) throws(Errno) -> Entry {
        guard usage.isOn else { return try make() }
        return try changing(parent) { () throws(Errno) in
            let entry = try make()
            wasMade(entry.node)
            return entry
        }
    }
    func creating(_ parent: UInt64, _ create: () throws(Errno) -> Created) throws(Errno) -> Created {
        guard usage.isOn else { return try create() }
        return try changing(parent) { () throws(Errno) in
            let created = try create()
            wasMade(created.entry.node)
            return created
        }
    }
    /// A file without a name gets its first one, and counts from then on.
    func linking(_ id: UInt64, _ parent: UInt64, _ link: () throws(Errno) -> Entry) throws(Errno) -> Entry {
        guard usage.isOn else { return try link() }
        let isNew =
            (try? table.node(id)).map { table[$0].flags.contains(.unlinked) || table[$0].firstName == 0 } ?? false
        return try changing(parent) { () throws(Errno) in
            try changing(id) { () throws(Errno) in
                let entry = try link()
                if isNew { wasMade(entry.node) }
                return entry
            }
        }
    }
    func removing(_ parent: UInt64, _ name: NameRef, _ remove: () throws(Errno) -> Void) throws(Errno) {
        guard usage.isOn else { return try remove() }
        try changing(parent) { () throws(Errno) in try taking(parent, name, remove) }
    }
    func renaming(
        _ parent: UInt64, _ name: NameRef, _ newParent: UInt64, _ newName: NameRef, isExchange: Bool,
        _ rename: () throws(Errno) -> Void
    ) throws(Errno) {
        guard usage.isOn else { return try rename() }
        let moved = (try? table.node(parent)).flatMap { table.child($0, name) }.map { willChange($0) } ?? 0
        defer { changed(moved) }
        try changing(parent) { () throws(Errno) in
            try changing(newParent) { () throws(Errno) in
                if isExchange { try rename() } else { try taking(newParent, newName, rename) }
            }
        }
    }
    /// What has the name loses it.
    private func taking(_ parent: UInt64, _ name: NameRef, _ take: () throws(Errno) -> Void) throws(Errno) {
        // Held before it is looked at: its entry must be there when it is taken away.
        let held = (try? table.node(parent)).flatMap { table.child($0, name) }.map { willChange($0) } ?? 0
        defer { changed(held) }
        let victim = victim(parent, name)
        try take()
        if let victim { usage.removed(victim.node, inode: victim.inode, victim.blocks) }
    }

    private struct Victim {
        let node: UInt32?
        let inode: UInt64
        let blocks: Int64
    }
    /// What goes from the disk when a name goes: nil for what has other names, or is in a layer below. Two statx.
    private func victim(_ parent: UInt64, _ name: NameRef) -> Victim? {
        do throws(Errno) {
            let parent = try table.node(parent)
            let directory = try merged(parent)
            guard let upper = directory.upper else { return nil }
            let status = try upper.fd.status(name)
            let node = table.child(parent, name)
            // The index has one more name of it.
            let links =
                node.map { table[$0].flags.contains(.indexed) } == true
                ? status.nlink - min(status.nlink, 1) : status.nlink
            guard status.isDirectory || links <= 1 else { return nil }
            return Victim(node: node, inode: status.ino, blocks: Int64(clamping: status.blocks))
        } catch {
            if error != .noEntry { usage.giveUp() }
            return nil
        }
    }

    /// The kernel forgets the node: the last time that its object is easily found. What is open it does not forget
    /// altogether.
    func willForget(_ node: UInt32) {
        guard usage.isOn, case .known = usage.hold(node) else { return }
        if let turn = usage.turn(node), let seen = look(node), !seen.isOpen, usage.settle(node, seen.blocks, turn: turn)
        {
            return
        }
        _ = usage.release(node)
    }

    // ---- the answer ----

    func upperStatus(_ node: UInt32) throws(Errno) -> FileStatus {
        try withObject(node) { (fd, name, _) throws(Errno) in try fd.status(name) }
    }

    /// Of a file in the index nothing counts as long as no name in the layer leads to it.
    private func upperBlocks(_ node: UInt32) throws(Errno) -> Int64 {
        let status = try upperStatus(node)
        if table[node].flags.contains(.indexed), status.nlink <= 1 { return 0 }
        return Int64(clamping: status.blocks)
    }
    private func look(_ node: UInt32) -> (blocks: Int64, isOpen: Bool)? {
        let record = table[node]
        guard record.flags.contains(.inUse), record.flags.contains(.upper), !record.flags.contains(.unlinked) else {
            return nil
        }
        do throws(Errno) { return (try upperBlocks(node), record.cachedOpens > 0 || record.passthroughOpens > 0) } catch
        { return nil }
    }

    /// The first question walks the layer, and then every change costs a little: not for anybody to bring about.
    func serveUsage(into buffer: MutableBytes, _ caller: Caller) throws(Errno) -> Int {
        guard caller.uid == 0 || caller.uid == Process.effectiveUser else { throw .noData }
        let (bytes, restless) = try usageBytes()
        let text = Array("\(bytes) \(restless)".utf8)
        if buffer.count == 0 { return text.count }
        if text.count > buffer.count { throw .range }
        return buffer.copy(text)
    }
    /// One statx for each object that was changed since the last answer; the first time a walk over the whole upper
    /// layer.
    func usageBytes() throws(Errno) -> (bytes: Int64, restless: Int) {
        guard let upper = stack.root.upper else { return (0, 0) }
        return try usage.asking.locked { () throws(Errno) in
            var tries = 0
            while !usage.isUsable {
                // What changes on the way may make it useless.
                tries += 1
                if tries > 5 { throw Errno.tryAgain }
                try walkUpper(upper.fd)
            }
            return usage.bytes { look($0) }
        }
    }
    private func settleUsage() { usage.asking.locked { _ = usage.bytes { look($0) } } }

    private func walkUpper(_ root: FD) throws(Errno) {
        usage.beginWalk()
        // What began before that is not announced: it has time to end. (A copy-up, which may take longer, announces
        // itself once more.)
        Clock.sleep(milliseconds: 5)
        // Who has something open may change it without a word.
        for node in table.openUpperNodes() { _ = usage.release(willChange(node)) }
        var found: [UInt64: Int64] = [:]
        do throws(Errno) {
            // With a position of its own: the layer's descriptor may have been read before, by whoever served then.
            let top = try root.openDirectory(NameRef.dot)
            let status = try top.fd.status()
            found[status.ino] = Int64(clamping: status.blocks)
            try walk(top.fd, device: status.dev, depth: 0, &found)
        } catch {
            usage.giveUp()
            throw error
        }
        usage.endWalk(found) { node in
            guard table[node].flags.contains(.upper) else { return nil }
            do throws(Errno) { return try upperStatus(node).ino } catch { return nil }
        }
    }
    private func walk(_ directory: FD, device: UInt64, depth: Int, _ found: inout [UInt64: Int64]) throws(Errno) {
        // A frame and a descriptor for each level.
        if depth > 512 { throw .loop }
        var below: [FileName] = []
        var reader = DirectoryReader(directory)
        try reader.forEach { (name, _, _) throws(Errno) in
            if name.isDotOrDotDot { return true }
            let status: FileStatus
            do throws(Errno) { status = try directory.status(name) } catch {
                if error == .noEntry { return true }
                throw error
            }
            if status.isDirectory, status.dev == device { below.append(name.owned) }
            found[status.ino] = Int64(clamping: status.blocks)
            return true
        }
        for name in below {
            do throws(Errno) {
                let child = try name.withRef { (n) throws(Errno) in try directory.openDirectory(n) }
                try walk(child.fd, device: device, depth: depth + 1, &found)
            } catch { if error != .noEntry && error != .notDirectory { throw error } }
        }
    }
}
