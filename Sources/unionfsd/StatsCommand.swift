internal import ArgumentParser
internal import LinuxSys
internal import MountState

struct Stats: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats", abstract: "Show what a mount has done: copies, requests, times.",
        discussion: """
            The counters are in shared memory: reading them asks nothing of the mount, which may be busy, stopped or \
            dead.

            All mounts and containers in one table, and what they do at the moment:
              unionfsd stats
              unionfsd stats --watch

            What was copied up, and why:
              unionfsd stats root

            How many copies a chmod has caused so far:
              unionfsd stats root --json | jq .copy_ups.by_cause.chmod

            Watch it at work:
              unionfsd stats root --watch
            """)

    @Flag(name: .long, help: "As JSON: one object, or without a mount point a list of them. Times are in microseconds.")
    var json = false

    @Flag(name: .long, help: "Again every second, until the mount is gone; with --json a line each time.")
    var watch = false

    @Option(name: .long, help: ArgumentHelp("Seconds between two looks with --watch.", valueName: "seconds"))
    var interval = 1

    @Argument(
        help: ArgumentHelp(
            "A mount point, any path in the mount, or a container's name. Without it: all mounts, in a table.",
            valueName: "mnt"), completion: .directory)
    var mountpoint: String?

    func validate() throws {
        if interval < 1 || interval > 3600 { throw ValidationError("--interval must be from 1 to 3600 seconds") }
    }

    func run() throws {
        if mountpoint == nil && !json { StatsTable.enterNamespace() }
        var earlier: [FileName: StatisticsSnapshot] = [:]
        repeat {
            guard let mounts = try wanted(seen: !earlier.isEmpty) else { return }
            var read: [(RegisteredMount, StatisticsSnapshot)] = []
            for mount in mounts {
                do throws(StatisticsError) { read.append((mount, try MountRegistry.statistics(of: mount))) } catch {
                    if watch { continue }
                    throw Failure.because("\(mount.record.mountpoint): \(Stats.sentence(error))")
                }
            }
            if watch && read.isEmpty { return }
            show(read, earlier)
            if !watch { return }
            for (mount, now) in read { earlier[mount.id] = now }
            Process.sleep(milliseconds: Int32(interval) * 1000)
        } while true
    }

    /// nil: it was there before, and is gone.
    private func wanted(seen: Bool) throws -> [RegisteredMount]? {
        do throws(RegistryError) {
            guard let mountpoint else { return try KnownMounts.list() }
            if let mount = try KnownMounts.find(Words.name(mountpoint)) { return [mount] }
            if let place = StatsTable.place(of: mountpoint),
                let mount = try KnownMounts.list().first(where: { $0.record.mountpoint == place })
            {
                return [mount]
            }
        } catch { throw Failure.because(error.description) }
        if seen { return nil }
        throw Failure.because("\"\(mountpoint ?? "")\" is not a mount of unionfsd (unionfsd list shows them)")
    }

    private func show(_ read: [(RegisteredMount, StatisticsSnapshot)], _ earlier: [FileName: StatisticsSnapshot]) {
        if json {
            let objects = read.map { StatsJSON.object($0.0, $0.1) }
            if mountpoint != nil, let only = objects.first {
                print(only.text(compact: watch))
            } else {
                print(JSON.array(objects).text(compact: watch))
            }
        } else {
            // Home, and away with what was there.
            if watch && FD.standardOutput.isTerminal { print("\u{1b}[H\u{1b}[J", terminator: "") }
            if mountpoint == nil {
                print(
                    StatsTable.lines(read.map { (mount: $0.0, now: $0.1) }, since: earlier, seconds: interval).joined(
                        separator: "\n"))
                return StandardOutput.flush()
            }
            print(
                read.map { StatsText.report($0.0, $0.1, since: earlier[$0.0.id], seconds: interval) }.joined(
                    separator: "\n\n"))
        }
        StandardOutput.flush()
    }

    private static func sentence(_ error: StatisticsError) -> String {
        switch error {
        case .notReadable(let errno): "its statistics cannot be read: \(errno.text)"
        case .notStatistics: "its statistics file is damaged"
        case .otherVersion(let version): "its statistics are of another version of unionfsd (\(version))"
        }
    }
}
