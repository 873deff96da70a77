public import Containers
public import ControlProtocol
public import LayerStore
internal import LinuxSys

extension ContainerEngine {
    /// A container as the API and the command line tell of it.
    public func message(_ container: StoredContainer, withSize: Bool) throws(StoreError) -> ContainerMessage {
        message(
            container, in: try look(),
            sizes: withSize ? [container.image: try store.image(container.image.description).bytes] : nil)
    }
    /// - Parameter sizes: of the images; nil where no size is asked for.
    private func message(
        _ container: StoredContainer, in overview: Overview, sizes: [Digest: Int64]?
    ) -> ContainerMessage {
        let seen = state(container, in: overview)
        return ContainerMessage(
            id: container.id, name: container.name, image: container.image.description, imageName: container.imageName,
            state: seen.state.rawValue, isBusy: seen.isBusy,
            created: container.created, startedAt: container.startedAt, restart: container.restart.description,
            bytes: sizes == nil ? nil : try? self.bytes(container),
            imageBytes: sizes?[container.image], mountpoint: store.place(of: container).merged.description,
            guardian: seen.guardian)
    }
    /// Of one that was just started, with no look at the machine.
    func message(_ container: StoredContainer, startedAs guardian: Int32) -> ContainerMessage {
        ContainerMessage(
            id: container.id, name: container.name, image: container.image.description, imageName: container.imageName,
            state: State.started.rawValue, isBusy: false,
            created: container.created, startedAt: container.startedAt, restart: container.restart.description,
            bytes: nil, imageBytes: nil,
            mountpoint: store.place(of: container).merged.description, guardian: guardian)
    }
    public func messages(withSize: Bool) throws(StoreError) -> [ContainerMessage] {
        let overview = try look()
        var sizes: [Digest: Int64]?
        if withSize {
            sizes = Dictionary(try store.images().map { ($0.id, $0.bytes) }, uniquingKeysWith: { first, _ in first })
        }
        var out: [ContainerMessage] = []
        for container in try store.containers() { out.append(message(container, in: overview, sizes: sizes)) }
        return out
    }
}
