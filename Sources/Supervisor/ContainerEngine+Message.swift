public import Containers
public import ControlProtocol
public import LayerStore
internal import LinuxSys

extension ContainerEngine {
    /// A container as the API and the command line tell of it.
    public func message(_ container: StoredContainer, withSize: Bool, in overview: Overview? = nil) throws(StoreError) -> ContainerMessage {
        let overview = if let overview { overview } else { try look() }
        let seen = state(container, in: overview)
        return ContainerMessage(id: container.id, name: container.name, image: container.image.description, imageName: container.imageName, state: seen.state.rawValue, isBusy: seen.isBusy,
                                created: container.created, startedAt: container.startedAt, restart: container.restart.description, bytes: withSize ? try self.bytes(container) : nil,
                                imageBytes: withSize ? try store.image(container.image.description).bytes : nil, mountpoint: store.place(of: container).merged.description,
                                guardian: seen.guardian)
    }
    /// Of one that was just started, with no look at the machine.
    func message(_ container: StoredContainer, startedAs guardian: Int32) -> ContainerMessage {
        ContainerMessage(id: container.id, name: container.name, image: container.image.description, imageName: container.imageName, state: State.started.rawValue, isBusy: false,
                         created: container.created, startedAt: container.startedAt, restart: container.restart.description, bytes: nil, imageBytes: nil,
                         mountpoint: store.place(of: container).merged.description, guardian: guardian)
    }
    public func messages(withSize: Bool) throws(StoreError) -> [ContainerMessage] {
        let overview = try look()
        var out: [ContainerMessage] = []
        for container in try store.containers() { out.append(try message(container, withSize: withSize, in: overview)) }
        return out
    }
}
