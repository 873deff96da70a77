internal import Foundation
internal import Glibc
internal import LayerStore
internal import LinuxSys

/// One process of a container, as OCI's runtime specification has it (config.md): what crun and runc read.
struct RuntimeBundle {
    let container: StoredContainer
    let config: ImageConfig
    let place: ContainerPlace
    let volume: (String) -> FileName
    var spec: ContainerSpec
    var hasTerminal: Bool
    /// In place of the image's.
    var entrypoint: [String]?

    /// What Docker and Podman give to a container, and no more.
    private static let capabilities = [
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID",
        "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP",
        "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
    ]
    private static let masked = [
        "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
        "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",
        "/sys/firmware", "/sys/devices/virtual/powercap",
    ]
    private static let readOnly = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
    private static let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    var command: [String] {
        let image = config.config
        return (entrypoint ?? image?.Entrypoint ?? []) + (spec.command.isEmpty ? image?.Cmd ?? [] : spec.command)
    }

    /// The process alone: for `exec` in a container that runs.
    func process(command: [String]) throws(StoreError) -> [String: Any] {
        let root = try told { () throws(Errno) in
            try FD.currentDirectory.open(place.merged, O_RDONLY | OpenFlags.directory)
        }
        let user = try ContainerUser(spec.user ?? config.config?.User, root: root.fd)
        var environment = [RuntimeBundle.path, "HOSTNAME=\(spec.hostname ?? container.name)"]
        if hasTerminal { environment.append("TERM=xterm") }
        if let home = user.home { environment.append("HOME=\(home)") }
        for entry in (config.config?.Env ?? []) + spec.environment {
            let key = entry.prefix { $0 != "=" } + "="
            environment.removeAll { $0.hasPrefix(key) }
            environment.append(entry)
        }
        var cwd = spec.workingDirectory ?? config.config?.WorkingDir ?? "/"
        if cwd.isEmpty { cwd = "/" }
        guard cwd.hasPrefix("/") else {
            throw StoreError(.invalid, "the working directory \"\(cwd)\" is no absolute path")
        }
        let sets = Dictionary(
            uniqueKeysWithValues: ["bounding", "effective", "permitted"].map { ($0, RuntimeBundle.capabilities) })
        return [
            "terminal": hasTerminal, "args": command, "env": environment, "cwd": cwd, "capabilities": sets,
            "user": ["uid": Int(user.uid), "gid": Int(user.gid), "additionalGids": user.groups.map { Int($0) }],
            "rlimits": [[String: Any]](), "noNewPrivileges": false,
        ]
    }

    func document() throws(StoreError) -> [String: Any] {
        let command = command
        guard !command.isEmpty else { throw StoreError(.invalid, "the image says no command: give one") }
        var namespaces: [[String: Any]] = ["pid", "ipc", "uts", "mount"].map { ["type": $0] }
        if spec.network == .none { namespaces.append(["type": "network"]) }
        // Where /sys is the machine's, what is mounted in it comes with it, and some of that is this user's: control
        // groups, the connections of all FUSE mounts.
        let masked =
            RuntimeBundle.masked
            + (bindsSys
                ? [
                    "/sys/fs/cgroup", "/sys/fs/fuse", "/sys/fs/bpf", "/sys/kernel/debug", "/sys/kernel/tracing",
                    "/sys/kernel/config", "/sys/kernel/security",
                ] : [])
        var linux: [String: Any] = [
            "namespaces": namespaces, "maskedPaths": masked, "readonlyPaths": RuntimeBundle.readOnly,
            "resources": resources,
        ]
        if let profile = try SeccompProfile.find(spec.seccomp) {
            linux["seccomp"] = profile.document(RuntimeBundle.capabilities)
        }
        return [
            "ociVersion": "1.0.2", "process": try process(command: command),
            "root": ["path": place.merged.description, "readonly": spec.isReadOnly],
            "hostname": spec.hostname ?? String(container.name.prefix(63)), "mounts": try mounts(),
            "linux": linux,
        ]
    }
    /// For the control group that the runtime makes.
    private var resources: [String: Any] {
        var out: [String: Any] = ["devices": [["allow": false, "access": "rwm"] as [String: Any]]]
        if let memory = spec.memory { out["memory"] = ["limit": memory] }
        if let processes = spec.processes { out["pids"] = ["limit": processes] }
        // Of each tenth of a second.
        if let processors = spec.processors {
            out["cpu"] = ["period": 100_000, "quota": Int64((processors * 100_000).rounded())] as [String: Any]
        }
        return out
    }

    /// The container's tree has this very file.
    private func has(_ path: String) -> Bool {
        do throws(Errno) {
            let root = try FD.currentDirectory.open(place.merged, O_RDONLY | OpenFlags.directory)
            return try FileName(path).withRef { (p) throws(Errno) in
                try root.fd.openInRoot(p, OpenFlags.path).fd.isValid
            }
        } catch { return false }
    }
    private var bindsSys: Bool { spec.network == .host && !LinuxSys.Process.isInInitialUserNamespace }
    private func mounts() throws(StoreError) -> [[String: Any]] {
        func mount(_ target: String, _ type: String, _ source: String, _ options: [String]) -> [String: Any] {
            ["destination": target, "type": type, "source": source, "options": options]
        }
        var out = [
            mount("/proc", "proc", "proc", ["nosuid", "noexec", "nodev"]),
            mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
            mount(
                "/dev/pts", "devpts", "devpts",
                ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]
                    + (UserNamespace.hasGroup(5) ? ["gid=5"] : [])),
            mount("/dev/shm", "tmpfs", "shm", ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
            mount("/dev/mqueue", "mqueue", "mqueue", ["nosuid", "noexec", "nodev"]),
            // Of the machine's network in a user namespace only the machine's root could mount it anew.
            bindsSys
                ? mount("/sys", "bind", "/sys", ["rbind", "rprivate", "nosuid", "noexec", "nodev", "ro", "rro"])
                : mount("/sys", "sysfs", "sysfs", ["nosuid", "noexec", "nodev", "ro"]),
        ]
        if spec.network == .host {
            // Of the machine's network, which the container is in.
            for file in ["/etc/resolv.conf", "/etc/hosts"]
            where FileManager.default.fileExists(atPath: file) && (file == "/etc/resolv.conf" || has(file)) {
                out.append(mount(file, "bind", file, ["bind", "ro", "nosuid", "nodev", "noexec"]))
            }
        }
        for entry in spec.mounts {
            let access = entry.readOnly ? "ro" : "rw"
            switch entry.kind {
            case .tmpfs: out.append(mount(entry.target, "tmpfs", "tmpfs", ["nosuid", "nodev", "mode=1777", access]))
            case .bind: out.append(mount(entry.target, "bind", entry.source, ["rbind", "rprivate", access]))
            case .volume:
                out.append(
                    mount(
                        entry.target, "bind", volume(entry.source).description,
                        ["rbind", "rprivate", "nosuid", "nodev", access]))
            }
        }
        return out
    }

    /// A directory with config.json in it, below the container's own.
    func write(_ name: FileName) throws(StoreError) -> FileName {
        let directory = place.bundle.appending(component: name)
        let bytes = try RuntimeBundle.bytes(try document())
        try told { () throws(Errno) in
            do throws(Errno) {
                try directory.withRef { (d) throws(Errno) in try FD.currentDirectory.makeDirectory(d, mode: 0o700) }
            } catch { if error != .exists { throw error } }
            let file = try FD.currentDirectory.open(
                directory.appending(component: "config.json"), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: 0o600)
            try file.fd.writeAll(bytes)
        }
        return directory
    }
    static func bytes(_ document: [String: Any]) throws(StoreError) -> [UInt8] {
        do { return Array(try JSONSerialization.data(withJSONObject: document, options: [.sortedKeys])) } catch {
            throw StoreError(.system, "a runtime's document cannot be written: \(error)")
        }
    }

    private func told<R: ~Copyable>(_ body: () throws(Errno) -> R) throws(StoreError) -> R {
        do throws(Errno) { return try body() } catch { throw StoreError(error, doing: container.name) }
    }
}
