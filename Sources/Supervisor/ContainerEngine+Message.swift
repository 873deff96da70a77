public import Containers
public import ControlProtocol
public import LayerStore
internal import LinuxSys

extension ContainerEngine {
    /// A container as the API and the command line tell of it.
    public func message(_ container: StoredContainer, withSize: Bool) throws(StoreError) -> ContainerMessage {
        let image = withSize ? try store.image(container.image.description).bytes : nil
        return ContainerMessage(id: container.id, name: container.name, image: container.image.description, imageName: container.imageName, state: try state(container).rawValue,
                                isBusy: ContainerRuntime.isBusy(container), created: container.created, startedAt: container.startedAt, restart: container.restart.description,
                                bytes: withSize ? try usage(container).bytes : nil, imageBytes: image, mountpoint: store.place(of: container).merged.description, guardian: try guardian(container))
    }
}
