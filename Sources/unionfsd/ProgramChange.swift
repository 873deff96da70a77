internal import Glibc
internal import LinuxSys
internal import MountState

/// Asks a mount's guardian to let another program take its place, and waits for the outcome.
struct ProgramChange {
    private let mount: RegisteredMount
    private static let patience: UInt64 = 30_000_000_000

    init(_ mount: RegisteredMount) { self.mount = mount }

    /// The pause that callers may have seen, in microseconds.
    func run(_ program: FileName) throws(RegistryError) -> UInt64 {
        guard mount.state == .alive else {
            throw RegistryError("nobody serves it: unmount it (unionfsd umount \(mount.record.mountpoint))")
        }
        let guardian = mount.record.guardian
        guard guardian > 0, isGuardian(guardian) else {
            throw RegistryError(
                guardian > 0
                    ? "its guardian is gone, or of another process namespace: unmount, and mount again"
                    : "it has no guardian (guardian=off, or an older version): unmount, and mount again")
        }
        let before = try upgrades()
        do throws(Errno) { try ask(program, guardian) } catch { throw RegistryError("\(mount.path): \(error.text)") }
        let end = Clock.monotonic + Self.patience
        while Clock.monotonic < end {
            if let refusal = refusal() { throw RegistryError("nothing was changed. \(refusal)") }
            let now = try statistics()
            if now.gauge(.upgrades) != before { return UInt64(clamping: now.gauge(.takeoverTime)) }
            guard MountRegistry.isServed(mount) else { throw RegistryError("it was unmounted meanwhile") }
            Clock.sleep(milliseconds: 2)
        }
        throw RegistryError("no answer within \(Self.patience / 1_000_000_000) s; its log is in \(mount.path)/log")
    }

    private func ask(_ program: FileName, _ guardian: Int32) throws(Errno) {
        let mailbox = try FD.currentDirectory.open(mount.path, OpenFlags.directory)
        do throws(Errno) { try mailbox.fd.unlink(NameRef("answer")) } catch { if error != .noEntry { throw error } }
        let file = try mailbox.fd.open(FileName("program.new"), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: 0o600)
        try file.fd.writeAll(Array(program.bytes))
        try mailbox.fd.rename(NameRef("program.new"), to: mailbox.fd, NameRef("program"))
        try Process.signal(guardian, SIGUSR1)
    }

    private func refusal() -> String? {
        do throws(Errno) {
            let answer = try FD.currentDirectory.open(mount.path.appending(component: "answer"), O_RDONLY | O_NOFOLLOW)
            let text = String(decoding: try answer.fd.readAll(limit: 4096), as: UTF8.self)
            return text.split(separator: "\n").joined(separator: "; ")
        } catch { return nil }
    }

    private func statistics() throws(RegistryError) -> StatisticsSnapshot {
        do throws(StatisticsError) { return try MountRegistry.statistics(of: mount) } catch {
            throw RegistryError("its statistics cannot be read")
        }
    }
    private func upgrades() throws(RegistryError) -> Int64 { try statistics().gauge(.upgrades) }

    /// A number from another process namespace, or one that was given out again, is not to be signalled.
    private func isGuardian(_ pid: Int32) -> Bool {
        guard let file = try? FD.currentDirectory.open(FileName("/proc/\(pid)/comm"), 0),
            let text = try? file.fd.readAll()
        else { return false }
        return text.starts(with: "unionfsd-guard".utf8)
    }
}
