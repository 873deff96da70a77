public import LinuxSys

/// The directories of a stack that another program has opened, by their places in it: where they are opened again,
/// paths may lead elsewhere by now, or nowhere (an engine unmounts what it had mounted for us).
public struct HeldLayers: Sendable, Equatable {
    /// The upper layer first where there is one.
    public var layers: [FD]
    public var dataLayers: [FD]
    /// What the option names, with `work` in it.
    public var work: FD?
    /// Places of layers that are id-mapped, which a mount without a place in the tree does not tell.
    public var idMapped: [Int]
    /// Root of the private mount that upper and work lie on; nil: of a program that had none, or where there is none.
    public var upperMount: FD?
    public init(layers: [FD], dataLayers: [FD], work: FD?, idMapped: [Int] = [], upperMount: FD? = nil) {
        self.upperMount = upperMount
        self.layers = layers
        self.dataLayers = dataLayers
        self.work = work
        self.idMapped = idMapped
    }
    func layer(_ place: Int) -> FD { place < layers.count ? layers[place] : .none }
    func dataLayer(_ place: Int) -> FD { place < dataLayers.count ? dataLayers[place] : .none }
}
