internal import FuseKit
internal import Glibc
internal import LinuxSys
internal import MountState
internal import UnionCore

/// From a node to its object in a layer, and the directories that lie between, with their locks.
extension UnionFileSystem {
    /// The parts of a directory, from the cache or looked up anew down from the nearest ancestor that is there.
    func merged(_ node: UInt32) throws(Errno) -> MergedDirectory {
        if node == InodeTable.root { return stack.root }
        if let cached = directories.find(node) { return cached }
        var left = 8
        while true {
            do throws(Errno) { return try lookedUp(node) } catch {
                // An ancestor was renamed on the way: from the start.
                left -= 1
                guard error == .stale, left > 0 else { throw error }
            }
        }
    }

    private func lookedUp(_ node: UInt32) throws(Errno) -> MergedDirectory {
        // The chain of names up to a directory that is known, then down again: each is held until the next is open, so
        // that this ends even if the cache keeps nothing.
        var chain: [UInt32] = []
        var at = node
        var above: MergedDirectory?
        while above == nil {
            chain.append(at)
            guard let next = table.nameAndParent(at)?.parent else { throw .noEntry }
            at = next
            above = at == InodeTable.root ? stack.root : directories.find(at)
        }
        var parent = at
        guard var current = above else { throw .noEntry }
        while let next = chain.popLast() {
            current = try reopen(next, in: parent, current)
            parent = next
        }
        return current
    }

    private func reopen(_ node: UInt32, in expected: UInt32, _ above: MergedDirectory) throws(Errno) -> MergedDirectory
    {
        // Shared with the parent's names held: a copy-up of this directory, which replaces what we find, holds them
        // exclusively.
        try locks.shared(expected) { () throws(Errno) in
            guard let (name, parent) = table.nameAndParent(node), parent == expected else { throw .stale }
            let directory = current(parent, above) ?? above
            let found = try name.withRef { (n) throws(Errno) in
                try stack.lookup(directory, n, in: listings.find(parent)?.find(n)?.layers ?? .all)?.directory
            }
            guard let found else { throw .stale }
            directories.putIfAbsent(node, found)
            return directories.find(node) ?? found
        }
    }

    /// The parts of a directory as they are now, where `known` was right a moment ago: the cache's, or `known` itself
    /// if no copy-up made it old. Nil: look again. A cache too small for the work makes it slow, never endless.
    private func current(_ node: UInt32, _ known: MergedDirectory) -> MergedDirectory? {
        if node == InodeTable.root { return stack.root }
        if let cached = directories.find(node) { return cached }
        return known.hasUpper == table[node].flags.contains(.upper) ? known : nil
    }

    /// With a directory's names held still, and its parts as they are then. An error with the lock held exclusively may
    /// have left more changed than was noted.
    func withDirectory<R>(
        _ node: UInt32, exclusive: Bool, _ body: (borrowing HeldDirectory) throws(Errno) -> R
    ) throws(Errno) -> R {
        while true {
            let ensured = try merged(node)
            var outcome: R?
            func once() throws(Errno) {
                guard let directory = current(node, ensured) else { return }
                outcome = try body(HeldDirectory(node: node, parts: directory, isExclusive: exclusive))
            }
            if exclusive {
                try locks.exclusive(node) { () throws(Errno) in
                    do throws(Errno) { try once() } catch {
                        listings.remove(node)
                        throw error
                    }
                }
            } else {
                try locks.shared(node, once)
            }
            if let outcome { return outcome }
        }
    }

    /// The same for two directories, both exclusively.
    func withDirectories(
        _ a: UInt32, _ b: UInt32, _ more: (UInt32, UInt32) = (0, 0),
        _ body: (borrowing HeldDirectory, borrowing HeldDirectory) throws(Errno) -> Void
    ) throws(Errno) {
        var isDone = false
        while !isDone {
            let (one, other) = (try merged(a), try merged(b))
            try locks.exclusive(a, b, more.0, more.1) { () throws(Errno) in
                guard let first = current(a, one), let second = current(b, other) else { return }
                do throws(Errno) {
                    try body(
                        HeldDirectory(node: a, parts: first, isExclusive: true),
                        HeldDirectory(node: b, parts: second, isExclusive: true))
                } catch {
                    listings.remove(a)
                    listings.remove(b)
                    throw error
                }
                isDone = true
            }
        }
    }

    /// The same with an answer, for one directory or two.
    func withDirectories<R>(
        ifDifferent a: UInt32, _ b: UInt32,
        _ body: (borrowing HeldDirectory, borrowing HeldDirectory) throws(Errno) -> R
    ) throws(Errno) -> R {
        if a == b {
            return try withDirectory(a, exclusive: true) { (directory) throws(Errno) in try body(directory, directory) }
        }
        var answer: R?
        while true {
            try withDirectories(a, b) { (one, other) throws(Errno) in answer = try body(one, other) }
            if let answer { return answer }
        }
    }

    /// Lends the object of a node: a directory of its layer and its name there, or a descriptor and the empty name.
    func withObject<R>(_ node: UInt32, _ body: (FD, NameRef, Int) throws(Errno) -> R) throws(Errno) -> R {
        while true {
            let record = table[node]
            if record.orphan >= 0 { return try body(FD(raw: record.orphan), NameRef.empty, Int(record.layer)) }
            if record.kind == FileKind.directory.rawValue {
                let directory: MergedDirectory
                do throws(Errno) { directory = try merged(node) } catch {
                    // Its name may just have gone, and the descriptor come in its place.
                    if table[node].orphan >= 0 { continue }
                    throw error
                }
                guard let top = directory.parts.first else { throw .stale }
                return try withExtendedLifetime(directory) { () throws(Errno) in
                    try body(top.fd, NameRef.empty, top.layer)
                }
            }
            if record.flags.contains(.indexed), let index = stack.index {
                var name = NameBuffer()
                guard table.indexName(node, &name) else { throw .stale }
                return try name.withRef { (n) throws(Errno) in try body(index.fd, n, 0) }
            }
            var location = InodeTable.Location()
            guard table.locate(node, &location) else {
                // Its last name may just have gone, and the descriptor come in its place.
                if table[node].orphan >= 0 { continue }
                throw .noEntry
            }
            let found = try withDirectory(location.parent, exclusive: false) { (directory) throws(Errno) -> R? in
                // Moved or copied up since: look again.
                guard table.version(node) == location.version else { return nil }
                guard let part = directory.part(inLayer: location.layer) else { throw .stale }
                return try location.name.withRef { (n) throws(Errno) in try body(part.fd, n, location.layer) }
            }
            if let found { return found }
        }
    }
}
