internal import LinuxSys
internal import MountState

/// What the kernel and its fuse module offer.
enum DoctorKernel {
    static func findings() -> [Finding] {
        [kernel(), device()] + offers() + [uring()]
    }

    private static func kernel() -> Finding {
        let release = Doctor.line("/proc/sys/kernel/osrelease") ?? "unknown"
        return Finding(
            "kernel", "kernel", isAtLeast(release, 6, 9) ? .good : .lacking, release,
            """
            before 6.9 there is no passthrough: every byte read or written goes through the daemon, several \
            times slower; take a newer kernel
            """
        )
    }

    private static func isAtLeast(_ release: String, _ major: Int, _ minor: Int) -> Bool {
        let numbers = release.split { $0 == "." || $0 == "-" }.prefix(2).compactMap { Int($0) }
        return numbers.count == 2 && (numbers[0], numbers[1]) >= (major, minor)
    }

    private static func device() -> Finding {
        let topic = "/dev/fuse"
        guard let status = try? FD.statusFollowing(NameRef("/dev/fuse")) else {
            return Finding(
                topic, "dev_fuse", .bad, "missing",
                "nothing can be mounted: modprobe fuse; in a container, pass it with --device /dev/fuse")
        }
        let mode = String(status.permissions, radix: 8)
        guard (try? FD.currentDirectory.open(FileName("/dev/fuse"), 2)) != nil else {
            return Finding(
                topic, "dev_fuse", .bad, "mode \(mode), not for this user",
                "nothing can be mounted by this user: chmod 666 /dev/fuse (udev does so by default)")
        }
        let forAll = status.permissions & 0o006 == 0o006
        return Finding(
            topic, "dev_fuse", forAll ? .good : .lacking, "mode \(mode)\(forAll ? "" : ", only for its owner")",
            "other users cannot mount, rootless containers neither: chmod 666 /dev/fuse")
    }

    /// FUSE_INIT flags of <linux/fuse.h>.
    private static let passthrough: UInt64 = 1 << 37, overRing: UInt64 = 1 << 41, resend: UInt64 = 1 << 39,
        killPrivileges: UInt64 = 1 << 28, idMaps: UInt64 = 1 << 40

    private static func offers() -> [Finding] {
        guard let flags = KernelOffer.ask() else {
            return [
                Finding(
                    "passthrough", "passthrough", .lacking, "not known: only root can ask the kernel",
                    "without it, or without root, every byte goes through the daemon")
            ]
        }
        let isRoot = Process.hasCapability(Capability.sysAdmin) && Process.isInInitialUserNamespace
        let has = flags & passthrough != 0
        var findings = [
            Finding(
                "passthrough", "passthrough", has && isRoot ? .good : .lacking,
                has ? (isRoot ? "yes" : "in the kernel, not for this user") : "no",
                has
                    ? "every byte goes through the daemon: passthrough needs root of the initial user namespace"
                    : """
                    every byte goes through the daemon, several times slower: take a kernel from 6.9 on with \
                    CONFIG_FUSE_PASSTHROUGH
                    """
            ),
            Finding(
                "privilege drop", "killpriv", flags & killPrivileges != 0 ? .good : .lacking,
                flags & killPrivileges != 0 ? "by us" : "no",
                """
                each write asks for security.capability first, five times slower for small ones: take a kernel \
                from 5.11 on
                """
            ),
            Finding(
                "resend", "resend", flags & resend != 0 ? .good : .lacking, flags & resend != 0 ? "yes" : "no",
                "requests in flight are lost if the worker dies: take a kernel from 6.9 on"),
        ]
        if flags & idMaps == 0 {
            findings.append(
                Finding(
                    "idmapped mounts", "idmap", .lacking, "no",
                    "the mount cannot be idmapped: take a kernel from 6.12 on, or use uidmapping="))
        } else {
            findings.append(Finding("idmapped mounts", "idmap", .good, "yes"))
        }
        return findings
    }

    private static func uring() -> Finding {
        let path = "/sys/module/fuse/parameters/enable_uring"
        let disabled = Doctor.line("/proc/sys/kernel/io_uring_disabled") ?? "0"
        guard let state = Doctor.line(path) else {
            return Finding(
                "io_uring", "io_uring", .lacking, "not in this kernel",
                "a request takes two to five times as long when the machine is idle: take a kernel from 6.14 on")
        }
        if disabled == "2" || (disabled == "1" && Process.effectiveUser != 0) {
            return Finding(
                "io_uring", "io_uring", .lacking, "forbidden (kernel.io_uring_disabled=\(disabled))",
                "a request takes two to five times as long: sysctl kernel.io_uring_disabled=0")
        }
        return Finding(
            "io_uring", "io_uring", state == "Y" ? .good : .lacking, state == "Y" ? "on" : "off",
            """
            a request takes two to five times as long: echo Y > \(path); for good: echo 'options fuse \
            enable_uring=1' > /etc/modprobe.d/unionfsd.conf
            """
        )
    }
}

/// The flags of the kernel's INIT request, which it sends to whoever mounts. So a mount is made, heard, and taken away.
enum KernelOffer {
    static func ask() -> UInt64? {
        guard let device = try? FD.currentDirectory.open(FileName("/dev/fuse"), 2),
            let directory = Scratch.make(in: "/tmp")
        else { return nil }
        defer { Scratch.remove(directory) }
        let user = Process.effectiveUser
        let data = FileName("fd=\(device.number),rootmode=40000,user_id=\(user),group_id=0")
        let flags: UInt = 2 | 4 | 8 // MS_NOSUID | MS_NODEV | MS_NOEXEC
        guard
            (try? Mounts.mount(source: "unionfsd-doctor", target: directory, type: "fuse", flags: flags, data: data))
                != nil
        else { return nil }
        defer { try? Mounts.unmount(directory, lazily: true) }
        guard (try? device.fd.waitReadable(milliseconds: 2000)) == .ready,
            let request = try? device.fd.readAll(limit: 1),
            request.count >= 56
        else { return nil }
        return request.withLent { bytes in
            // struct fuse_in_header is 40 bytes; behind it major, minor, max_readahead, flags, flags2.
            guard bytes.uint32(at: 4) == 26 else { return nil }
            let low = UInt64(bytes.uint32(at: 52))
            return low & 1 << 30 != 0 ? low | UInt64(bytes.uint32(at: 56)) << 32 : low
        }
    }
}

/// A directory of our own for a moment.
enum Scratch {
    static func make(in place: FileName) -> FileName? {
        let path = place.appending(
            component: FileName("unionfsd-doctor-\(String(UInt64.random(in: 0...UInt64.max), radix: 16))"))
        guard (try? path.withRef({ (p) throws(Errno) in try FD.currentDirectory.makeDirectory(p, mode: 0o700) })) != nil
        else { return nil }
        return path
    }
    /// An empty one.
    static func remove(_ path: FileName) {
        try? path.withRef { (p) throws(Errno) in try FD.currentDirectory.removeDirectory(p) }
    }
}
