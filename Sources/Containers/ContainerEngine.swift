internal import Glibc
public import LayerStore
internal import LinuxSys
internal import MountState

/// Containers that run: their mounts, and what runs in them. One process, the supervisor, uses the parts that mount;
/// those that look may be used by any.
public final class ContainerEngine: Sendable {
    public let store: Store
    public init(_ store: Store) { self.store = store }

    public enum State: String, Sendable, Codable {
        /// Mounted, and served.
        case started
        case stopped
        /// It should be mounted and is not, or nobody serves it.
        case failed
    }

    private func mount(_ container: StoredContainer) -> ContainerMount {
        ContainerMount(container: container, store: store)
    }

    public func state(_ container: StoredContainer) throws(StoreError) -> State {
        state(container, try mount(container).state())
    }
    private func state(_ container: StoredContainer, _ mount: ContainerMount.State) -> State {
        switch mount {
        case .alive: .started
        case .dead: .failed
        case .none: container.isStarted ? .failed : .stopped
        }
    }
    /// The process whose end is the mount's; nil where there is none.
    public func guardian(_ container: StoredContainer) throws(StoreError) -> Int32? {
        if case .alive(let guardian) = try mount(container).state() { return guardian }
        return nil
    }

    /// Of many containers what `state`, `guardian` and `isBusy` say of one, with one look at the machine.
    public struct Overview: Sendable {
        fileprivate let mounts: MountOverview
        fileprivate let busy: Set<String>
    }
    public func look() throws(StoreError) -> Overview {
        Overview(mounts: try MountOverview(store), busy: ContainerRuntime.busyContainers(store))
    }
    public func state(
        _ container: StoredContainer, in overview: Overview
    ) -> (state: State, guardian: Int32?, isBusy: Bool) {
        let mount = overview.mounts.state(store.place(of: container).merged)
        var guardian: Int32?
        if case .alive(let pid) = mount, pid != ContainerMount.unknown { guardian = pid }
        return (state(container, mount), guardian, overview.busy.contains(container.id))
    }

    /// Mounted when this returns, with the process whose end is the mount's. One that is mounted already is left alone.
    @discardableResult public func start(_ container: StoredContainer) throws(StoreError) -> Int32 {
        let mount = mount(container)
        switch try mount.state() {
        case .alive(let guardian):
            if !container.isStarted { try store.setStarted(container.id, true) }
            return guardian
        case .dead: try mount.unmount(force: true)
        case .none: break
        }
        try mount.endLeftover()
        let layers = try store.layerPaths(of: container.image)
        // First: whoever finds it mounted must know that it should be.
        try store.setStarted(container.id, true)
        do throws(StoreError) { return try mount.mount(layers) } catch {
            try store.setStarted(container.id, false)
            throw error
        }
    }

    /// Ends what runs in it, and unmounts it. The writable layer stays.
    public func stop(_ container: StoredContainer, force: Bool, patience: Int = 10) throws(StoreError) {
        try ContainerRuntime.end(of: container, store, patience: patience)
        // The mount knows it in no time; without it the whole layer would be walked.
        let usage = container.isStarted ? try? store.measure(container, isMounted: true) : nil
        // First: whoever finds it unmounted must know that it should be.
        if container.isStarted { try store.setStarted(container.id, false) }
        do throws(StoreError) { try mount(container).unmount(force: force) } catch {
            if container.isStarted { try store.setStarted(container.id, true) }
            throw error
        }
        if let usage, usage.isFinal { try store.setBytes(container.id, usage.bytes) }
    }

    /// What runs in it, without patience.
    public func endProcesses(of container: StoredContainer) throws(StoreError) {
        try ContainerRuntime.end(of: container, store, patience: 0)
    }

    /// Takes away what is mounted and dead, or should not be mounted at all.
    public func clear(_ container: StoredContainer) throws(StoreError) { try mount(container).unmount(force: true) }

    /// What runtimes kept before the machine was started the last time.
    public func clearOldRuntimes() { ContainerRuntime.clearOld(store) }

    /// Mounts below the store that belong to no container any more, as a process died between two steps.
    public func clearOrphans() throws(StoreError) {
        let known = Set(try store.containers().map { store.place(of: $0).merged })
        let home = store.root.appending(component: "containers")
        let entries: [MountEntry]
        do throws(Errno) { entries = try MountTable().entries } catch {
            throw StoreError(error, doing: "the mount table")
        }
        for entry in entries
        where entry.type == "fuse.unionfsd" && entry.mountpoint.bytes.starts(with: home.bytes + [0x2f])
            && !known.contains(entry.mountpoint)
        {
            do throws(Errno) { try Mounts.unmount(entry.mountpoint, lazily: true) } catch {
                if error != .invalid { throw StoreError(error, doing: "\(entry.mountpoint)") }
            }
        }
    }

    public func remove(_ container: StoredContainer, force: Bool) throws(StoreError) {
        if try state(container) != .stopped {
            if !force { throw StoreError(.conflict, "\(container.name) is started: stop it first, or rm --force") }
            try stop(container, force: true, patience: 0)
        }
        try mount(container).endLeftover()
        try store.removeContainer(container.id)
    }

    /// What the writable layer takes, as du(1) counts, and what is in the index alone: known of one that is stopped,
    /// kept by the mount of one that is started.
    public func bytes(_ container: StoredContainer) throws(StoreError) -> Int64 {
        let beside = try store.bytesBeside(container)
        if !container.isStarted, let bytes = container.bytes { return bytes + beside }
        let bytes = try store.measure(container, isMounted: container.isStarted).bytes
        if !container.isStarted { try store.setBytes(container.id, bytes) }
        return bytes + beside
    }
}
