internal import LinuxSys

/// Inodes by their number: how the names of one file with several are known to be one.
extension InodeTable {
    func withNumberLocked(_ ino: UInt64, kind: FileKind) -> UInt32 {
        var at = numbers[numbers.slot(Self.mixed(ino))]
        while at != 0 {
            if nodes[at].ino == ino, nodes[at].kind == kind.rawValue { return at }
            at = nodes[at].nextInHash
        }
        return 0
    }
    func addNumberLocked(_ node: UInt32) {
        if numbers.isFull {
            for head in numbers.doubled() {
                var at = head
                while at != 0 {
                    let next = nodes[at].nextInHash
                    let slot = numbers.slot(Self.mixed(nodes[at].ino))
                    nodes[unsaved: at].nextInHash = numbers[slot]
                    numbers[slot] = at
                    at = next
                }
            }
        }
        let slot = numbers.slot(Self.mixed(nodes[node].ino))
        nodes[node].nextInHash = numbers[slot]
        nodes[node].flags.insert(.hashed)
        numbers[slot] = node
        numbers.added()
    }
    /// For one that is marked as hashed, into an index with room for all: only its link is another. Nothing is saved,
    /// so that a death in the middle leaves it marked.
    func linkNumberAgainLocked(_ node: UInt32) {
        let slot = numbers.slot(Self.mixed(nodes[node].ino))
        nodes[unsaved: node].nextInHash = numbers[slot]
        numbers[slot] = node
        numbers.added()
    }
    func removeNumberLocked(_ node: UInt32) {
        let slot = numbers.slot(Self.mixed(nodes[node].ino))
        if numbers[slot] == node {
            numbers[slot] = nodes[node].nextInHash
        } else {
            var at = numbers[slot]
            while at != 0 {
                if nodes[at].nextInHash == node {
                    nodes[at].nextInHash = nodes[node].nextInHash
                    break
                }
                at = nodes[at].nextInHash
            }
        }
        nodes[node].flags.remove(.hashed)
        numbers.removed()
    }
    func changeNumberLocked(_ node: UInt32, _ number: UInt64) {
        if nodes[node].ino == number { return }
        let isHashed = nodes[node].flags.contains(.hashed)
        if isHashed { removeNumberLocked(node) }
        nodes[node].ino = number
        if isHashed { addNumberLocked(node) }
    }
    private static func mixed(_ ino: UInt64) -> UInt64 {
        let h = ino &* 0x9e37_79b9_7f4a_7c15
        return h ^ h >> 32
    }
}
