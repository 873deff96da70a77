internal import ArgumentParser
internal import LinuxSys
internal import MountState

struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the mounts of this user.",
        discussion: """
            Each with its layers, its age and its process. "dead" is a mount whose process is gone: every access \
            fails until \
            it is unmounted. A mount of another mount namespace, a container's own for one, is marked so.
            """)

    @Flag(name: .long, help: "As JSON.")
    var json = false

    func run() throws {
        let mounts: [RegisteredMount]
        do throws(RegistryError) { mounts = try KnownMounts.list() } catch { throw Failure.because(error.description) }
        if json {
            print(JSON.array(mounts.map(List.json)).text())
            return
        }
        for mount in mounts { print(List.text(mount)) }
    }

    private static func state(_ mount: RegisteredMount) -> String {
        guard mount.state == .alive else { return "dead" }
        return isStopped(mount.record.pid) ? "stopped" : "alive"
    }

    /// SIGSTOP or a debugger: alive, and serving nobody.
    private static func isStopped(_ pid: Int32) -> Bool {
        guard let file = try? FD.currentDirectory.open(FileName("/proc/\(pid)/stat"), 0),
            let text = try? file.fd.readAll(),
            let end = text.lastIndex(of: UInt8(ascii: ")")), end + 2 < text.count
        else { return false }
        return text[end + 2] == UInt8(ascii: "T") || text[end + 2] == UInt8(ascii: "t")
    }

    private static func age(_ record: MountRecord) -> Int64 { max(Clock.realtime - record.start, 0) }

    private static func text(_ mount: RegisteredMount) -> String {
        let record = mount.record
        var head = "\(record.mountpoint)  \(state(mount)), process \(record.pid), \(Units.age(seconds: age(record)))"
        if record.readOnly { head += ", read-only" }
        if !mount.isVisible { head += ", in another mount namespace" }
        var lines = [head]
        func put(_ key: String, _ value: FileName) {
            lines.append("    \(key)\(String(repeating: " ", count: 7 - key.count))\(value)")
        }
        if let upper = record.upper { put("upper", upper) }
        if let work = record.work { put("work", work) }
        for layer in record.lower { put("lower", layer) }
        for layer in record.dataLower { put("data", layer) }
        if mount.state == .dead { lines.append("    unmount it with: unionfsd umount \(record.mountpoint)") }
        return lines.joined(separator: "\n")
    }

    static func json(_ mount: RegisteredMount) -> JSON {
        let record = mount.record
        func path(_ name: FileName?) -> JSON { name.map { .string($0.description) } ?? .null }
        return .object([
            ("mountpoint", path(record.mountpoint)),
            ("state", .string(state(mount))),
            ("pid", .int(Int64(record.pid))),
            ("start", .int(record.start)),
            ("age_seconds", .int(age(record))),
            ("read_only", .bool(record.readOnly)),
            ("visible", .bool(mount.isVisible)),
            ("upper", path(record.upper)),
            ("work", path(record.work)),
            ("lower", .array(record.lower.map(path))),
            ("data", .array(record.dataLower.map(path))),
            ("options", path(record.options)),
            ("form", .string(record.byEngine ? "engine" : "mount")),
            ("version", .string(record.version)),
            ("device", record.device.map { .string($0) } ?? .null),
            ("id", path(mount.id)),
        ])
    }
}
