internal import UnionCore

/// A directory whose names are held still: what `withDirectory` lends. Whoever needs a directory's lock asks for this,
/// and so cannot take the lock again.
struct HeldDirectory: ~Copyable {
    let node: UInt32
    /// Its parts, as they are while it is held.
    let parts: MergedDirectory
    /// Names may be changed, and not only used.
    let isExclusive: Bool

    var upper: LayerDirectory? { parts.upper }
    func part(inLayer layer: Int) -> LayerDirectory? { parts.part(inLayer: layer) }
}
