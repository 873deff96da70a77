/// Heads of hash chains whose links stand in the records. Rebuilt from the records by whoever needs it: a cache.
struct HashIndex {
    private(set) var heads: [UInt32]
    private(set) var count = 0

    init(size: Int = 4096) { heads = [UInt32](repeating: 0, count: size) }

    /// Room for so many without growing.
    init(holding count: Int) {
        var size = 4096
        while size < count { size *= 2 }
        self.init(size: size)
    }

    func slot(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash) & (heads.count - 1) }
    subscript(slot: Int) -> UInt32 {
        get { slot >= 0 && slot < heads.count ? heads[slot] : 0 }
        set { if slot >= 0, slot < heads.count { heads[slot] = newValue } }
    }
    var isFull: Bool { count > heads.count }
    mutating func added() { count += 1 }
    mutating func removed() { count -= 1 }
    /// Empty, of twice the size; the caller enters everything again.
    mutating func doubled() -> [UInt32] {
        let old = heads
        heads = [UInt32](repeating: 0, count: heads.count * 2)
        return old
    }
}
