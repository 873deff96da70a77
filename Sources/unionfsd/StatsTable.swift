internal import Containers
internal import LayerStore
internal import LinuxSys
internal import MountState

/// All mounts in one table, as top(1) has processes: those that did most in the last interval first, else those with
/// most copies.
enum StatsTable {
    static func lines(
        _ read: [(mount: RegisteredMount, now: StatisticsSnapshot)], since earlier: [FileName: StatisticsSnapshot],
        seconds: Int
    ) -> [String] {
        let names = containers()
        var rows: [(order: UInt64, cells: [String])] = []
        for (mount, now) in read {
            let before = earlier[mount.id]
            func rate(_ value: (StatisticsSnapshot) -> UInt64) -> UInt64? {
                before.map { (value(now) &- value($0)) / UInt64(max(seconds, 1)) }
            }
            func shown(_ rate: UInt64?) -> String { rate.map { Units.count($0) } ?? "-" }
            let lookups = now.requests.first { $0.name == "LOOKUP" }?.times.count ?? 0
            let hits = lookups == 0 ? "-" : "\(min(UInt64(max(now.gauge(.knownNames), 0)) * 100 / lookups, 100)) %"
            rows.append(
                (
                    rate(\.requestCount) ?? now.copyUps,
                    [
                        names[mount.record.mountpoint] ?? mount.record.mountpoint.description,
                        mount.state == .alive ? "alive" : "dead", Units.count(now.copyUps), shown(rate(\.copyUps)),
                        Units.bytes(now.copiedBytes), size(mount).map { Units.bytes($0) } ?? "-",
                        Units.count(now.requestCount), shown(rate(\.requestCount)), hits,
                        Units.age(seconds: Clock.realtime - now.start),
                    ]
                ))
        }
        var table = Table()
        table.add(["NAME", "STATE", "COPY-UPS", "/S", "COPIED", "LAYER", "REQUESTS", "/S", "HITS", "UP"])
        for row in rows.sorted(by: { $0.order > $1.order }) { table.add(row.cells) }
        return table.lines
    }

    /// What the writable layer takes: the mount keeps the figure for a container; of others it is not asked, as the
    /// first question costs a walk.
    static func size(_ mount: RegisteredMount) -> UInt64? {
        guard mount.state == .alive, mount.isVisible, mount.record.upper != nil,
            String(decoding: mount.record.options.bytes, as: UTF8.self).contains("usage=")
        else { return nil }
        do throws(Errno) {
            let root = try FD.currentDirectory.open(mount.record.mountpoint, OpenFlags.directory)
            guard let text = try root.fd.xattrIfPresent(NameRef.empty, NameRef("user.unionfsd.usage")) else {
                return nil
            }
            return UInt64(String(decoding: text, as: UTF8.self).split(separator: " ").first ?? "")
        } catch { return nil }
    }

    static func place(of container: String) -> FileName? { containers().first { $0.value == container }?.key }

    /// To where an ordinary user's containers are mounted, if any are: their sizes are asked there. Before the first
    /// thread.
    static func enterNamespace() { try? StoreNamespace.enter(KnownMounts.store, mayMake: false) }

    /// The containers of the store that this user has, if there is one: nothing is made for it.
    private static func containers() -> [FileName: String] {
        guard
            (try? FD.currentDirectory.open(KnownMounts.store.appending(component: "store.db"), OpenFlags.path)) != nil,
            let store = try? Store(KnownMounts.store), let containers = try? store.containers()
        else { return [:] }
        return Dictionary(
            containers.map { (store.place(of: $0).merged, $0.name) }, uniquingKeysWith: { first, _ in first })
    }
}
