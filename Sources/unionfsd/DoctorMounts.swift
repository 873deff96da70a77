internal import LinuxSys
internal import MountState

/// The mounts that this user has, and whether they answer.
enum DoctorMounts {
    /// A request on a slow disk takes its time; one that is older than this is worth a look.
    private static let long: UInt64 = 10_000_000_000

    static func findings() -> [Finding] {
        let mounts: [RegisteredMount]
        do throws(RegistryError) { mounts = try KnownMounts.list().filter { $0.state == .alive } } catch {
            return [Finding("mounts", "mounts", .lacking, "cannot be listed", "\(error)")]
        }
        let findings = mounts.flatMap(look)
        if !findings.isEmpty || mounts.isEmpty { return findings }
        return [
            Finding(
                "mounts", "mounts", .good,
                mounts.count == 1 ? "one, which answers" : "\(mounts.count), which all answer")
        ]
    }

    private static func look(_ mount: RegisteredMount) -> [Finding] {
        let statistics: StatisticsSnapshot
        do throws(StatisticsError) { statistics = try MountRegistry.statistics(of: mount) } catch {
            return [
                Finding(
                    "\(mount.record.mountpoint)", "mount", .lacking, "its statistics cannot be read",
                    "unionfsd stats \(mount.record.mountpoint) says why")
            ]
        }
        var findings: [Finding] = []
        if let age = statistics.oldestRequest, age > long {
            findings.append(
                Finding(
                    "\(mount.record.mountpoint)", "oldest_request", .lacking, "oldest request \(age / 1_000_000_000) s",
                    """
                    the disk below is slow or does not answer, or a large file is being copied up: see the \
                    kernel's log, and the mount's own in the run directory
                    """
                ))
        }
        let hangs = statistics.gauge(.hangs)
        if hangs > 0 {
            findings.append(
                Finding(
                    "\(mount.record.mountpoint)", "hangs", .lacking,
                    "\(hangs) requests waited for a lock that nobody would have given back",
                    "the mount went on by itself, but this is a fault of unionfsd: report it, with the mount's log"))
        }
        return findings
    }
}
