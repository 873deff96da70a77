import Glibc

/// What names there are, and which objects they stand for: kept beside the two trees, so that operations can be
/// chosen that mean something, and so that an object's st_ino can be watched for as long as it lives.
///
/// It changes only by operations that succeeded on both sides, so it never needs to know why one fails.
final class Model {
    final class Node {
        enum Kind { case directory, file, symlink, other }

        let number: Int
        let kind: Kind
        var children: [Name: Node] = [:]
        /// How many names it has.
        var names = 1
        /// Of the mount: set when first seen, the same ever after.
        var identity: Identity?

        init(number: Int, kind: Kind) {
            self.number = number
            self.kind = kind
        }
    }

    struct Identity: Hashable {
        var dev: UInt64
        var ino: UInt64

        /// Devices below the mount's own are told apart; the mount's own number changes with every remount, and is 0
        /// here.
        init(_ status: Sys.Status, root: UInt64) { (dev, ino) = (status.dev == root ? 0 : status.dev, status.ino) }
    }

    let root: Node
    private var nextNumber = 1

    /// The tree as it is at the start.
    init(of tree: Int32) {
        root = Node(number: 0, kind: .directory)
        var linked: [Identity: Node] = [:]
        var directories: [Name: Node] = ["": root]
        var device: UInt64 = 0
        Walker.walk(tree, ".") { visit in
            guard case .object(let found) = visit else { return }
            if found.path.isEmpty { device = found.status.dev }
            let identity = Identity(found.status, root: device)
            let (parent, last) = found.path.split
            if found.path.isEmpty {
                root.identity = identity
            } else if let known = linked[identity] {
                known.names += 1
                directories[parent]?.children[last] = known
            } else {
                let node = make(Self.kind(found.status))
                node.identity = identity
                if !found.status.isDirectory, found.status.nlink > 1 { linked[identity] = node }
                if found.status.isDirectory { directories[found.path] = node }
                directories[parent]?.children[last] = node
            }
        }
    }

    private static func kind(_ status: Sys.Status) -> Node.Kind {
        status.isDirectory ? .directory : status.isRegular ? .file : status.isSymlink ? .symlink : .other
    }

    func make(_ kind: Node.Kind) -> Node {
        defer { nextNumber += 1 }
        return Node(number: nextNumber, kind: kind)
    }

    func node(_ path: Name) -> Node? {
        var at = root
        for part in path.bytes.split(separator: 0x2f) {
            guard let next = at.children[Name(part)] else { return nil }
            at = next
        }
        return at
    }

    func add(_ path: Name, _ node: Node) {
        let (parent, last) = path.split
        self.node(parent)?.children[last] = node
    }

    func remove(_ path: Name) {
        let (parent, last) = path.split
        guard let gone = self.node(parent)?.children.removeValue(forKey: last) else { return }
        forget(gone)
    }

    /// With everything below it.
    private func forget(_ node: Node) {
        node.names -= 1
        if node.kind == .directory { for child in node.children.values { forget(child) } }
    }

    func link(_ old: Name, _ new: Name) {
        guard let node = node(old) else { return }
        node.names += 1
        add(new, node)
    }

    func rename(_ old: Name, _ new: Name, exchange: Bool) {
        guard old != new, let moved = node(old) else { return }
        let replaced = node(new)
        // Two names of one object: rename(2) does nothing, and both stay.
        if replaced === moved { return }
        let (oldParent, oldLast) = old.split
        if exchange, let replaced {
            node(oldParent)?.children[oldLast] = replaced
            add(new, moved)
            return
        }
        if let replaced { forget(replaced) }
        node(oldParent)?.children.removeValue(forKey: oldLast)
        add(new, moved)
    }

    // MARK: Choosing

    /// A directory, the deeper the rarer, and never through a symlink: then no path leads out of the tree.
    func someDirectory(_ random: inout Random) -> Name {
        var path: Name = ""
        var at = root
        while random.chance(60) {
            let below = at.children.filter { $0.value.kind == .directory }.map(\.key).sorted()
            guard !below.isEmpty else { break }
            let name = random.pick(below)
            path = path.joined(name)
            guard let next = at.children[name] else { break }
            at = next
        }
        return path
    }

    /// A path that is likely to exist. Now and then one whose parent does not, or is no directory.
    func somePath(_ random: inout Random, existing: Int = 80, kind: Node.Kind? = nil) -> Name {
        let place = someDirectory(&random)
        let there = (node(place)?.children ?? [:]).sorted { $0.key < $1.key }
        let fitting = there.filter { kind == nil || $0.value.kind == kind }
        if random.chance(2), let odd = there.first(where: { $0.value.kind != .symlink && $0.value.kind != .directory })
        {
            return place.joined(odd.key).joined(random.pick(Layers.names))
        }
        if random.chance(1) { return place.joined("nowhere").joined(random.pick(Layers.names)) }
        if random.chance(existing), !fitting.isEmpty { return place.joined(random.pick(fitting).key) }
        return place.joined(random.pick(Layers.names))
    }
}
