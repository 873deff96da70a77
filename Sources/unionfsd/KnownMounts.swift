internal import LayerStore
internal import LinuxSys
internal import MountState

/// The mounts of this user: those made by hand or by an engine, and those of the containers in their store.
enum KnownMounts {
    static var store: FileName { Process.environment("UNIONFSD_ROOT") ?? Store.defaultRoot }

    /// Oldest first.
    static func list() throws(RegistryError) -> [RegisteredMount] {
        (try MountRegistry.list() + MountRegistry.list(in: Store.mountDirectory(store))).sorted {
            $0.record.start < $1.record.start
        }
    }
    /// The one that a path lies on, or whose mount point it is.
    static func find(_ path: FileName) throws(RegistryError) -> RegisteredMount? {
        if let mount = try MountRegistry.find(path) { return mount }
        return try MountRegistry.find(path, in: Store.mountDirectory(store))
    }
}
