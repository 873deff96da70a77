internal import LinuxSys
internal import MountState

/// What this user may do, and which helpers there are.
enum DoctorUser {
    static func findings() -> [Finding] {
        [privilege(), namespaces(), subordinateIDs(), mapHelpers(), helper(), library(), openFiles(), runDirectory()]
    }

    private static func privilege() -> Finding {
        let inner = !Process.isInInitialUserNamespace
        if Process.hasCapability(Capability.sysAdmin) {
            return Finding(
                "privilege", "privilege", inner ? .lacking : .good, inner ? "root of a user namespace" : "root",
                """
                no passthrough and no trusted.* attributes here (user.* ones are used): root of the initial \
                namespace has both
                """
            )
        }
        return Finding(
            "privilege", "privilege", .lacking, "user \(Process.effectiveUser), without CAP_SYS_ADMIN",
            """
            mounts go through fusermount3, nosuid and nodev, without passthrough; containers (unionfsd run) \
            have a user namespace of their own
            """
        )
    }

    private static func namespaces() -> Finding {
        let topic = "user namespaces"
        let key = "user_namespaces"
        if Doctor.line("/proc/sys/user/max_user_namespaces") == "0" {
            return Finding(
                topic, key, .lacking, "none allowed",
                "rootless containers cannot run: sysctl user.max_user_namespaces=28633")
        }
        if Doctor.line("/proc/sys/kernel/unprivileged_userns_clone") == "0" {
            return Finding(
                topic, key, .lacking, "for root only",
                "rootless containers cannot run: sysctl kernel.unprivileged_userns_clone=1")
        }
        if Doctor.line("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1" {
            return Finding(
                topic, key, .lacking, "restricted by AppArmor",
                """
                rootless containers need a profile: sysctl kernel.apparmor_restrict_unprivileged_userns=0, or a \
                profile with userns
                """
            )
        }
        guard Doctor.line("/proc/self/uid_map") != nil else {
            return Finding(topic, key, .lacking, "not in this kernel", "rootless containers cannot run: CONFIG_USER_NS")
        }
        return Finding(topic, key, .good, "allowed")
    }

    private static func subordinateIDs() -> Finding {
        let uid = Process.outerUser
        let name = userName(uid)
        let users = SubordinateIDs.users(of: uid, name: Array(name.utf8))
        let groups = SubordinateIDs.groups(of: uid, name: Array(name.utf8))
        if let range = users.first, !groups.isEmpty {
            return Finding("subuid", "subuid", .good, "\(range.count) ids from \(range.start) for \(name)")
        }
        if uid == 0 { return Finding("subuid", "subuid", .good, "none for root, which needs none") }
        return Finding(
            "subuid", "subuid", .lacking, "none for \(name)",
            """
            a rootless container has one user only: usermod --add-subuids 100000-165535 --add-subgids \
            100000-165535 \(name)
            """
        )
    }

    /// What writes those ids into a namespace's maps.
    private static func mapHelpers() -> Finding {
        let topic = "newuidmap"
        let key = "newuidmap"
        if let users = MountProgram.inPath("newuidmap"), MountProgram.inPath("newgidmap") != nil {
            return Finding(topic, key, .good, "\(users)")
        }
        let root = Process.outerUser == 0
        return Finding(
            topic, key, root ? .good : .lacking, root ? "none, which root does not need" : "not in PATH",
            "a user with a line in /etc/subuid can have no containers: apt-get install uidmap")
    }

    private static func userName(_ uid: UInt32) -> String {
        for line in Doctor.lines("/etc/passwd") {
            let fields = line.split(separator: ":", omittingEmptySubsequences: false)
            if fields.count > 2, fields[2] == String(uid) { return String(fields[0]) }
        }
        return String(uid)
    }

    private static func helper() -> Finding {
        let needed = !Process.hasCapability(Capability.sysAdmin)
        guard let path = MountProgram.inPath("fusermount3") else {
            return Finding(
                "fusermount3", "fusermount3", needed ? .bad : .lacking, "not in PATH",
                needed
                    ? "an ordinary user cannot mount: apt-get install fuse3"
                    : "ordinary users cannot mount: apt-get install fuse3")
        }
        let isSetuid =
            ((try? path.withRef { (p) throws(Errno) in try FD.statusFollowing(p) })?.permissions ?? 0) & 0o4000 != 0
        return Finding(
            "fusermount3", "fusermount3", isSetuid ? .good : needed ? .bad : .lacking,
            isSetuid ? "\(path)" : "\(path), not setuid root",
            "ordinary users cannot mount: chmod u+s \(path)")
    }

    private static func library() -> Finding {
        let topic = "unionfsd-mount"
        let key = "libfuse"
        guard let program = MountProgram.find() else {
            return Finding(
                topic, key, .bad, "not found",
                "it serves the mounts: install it beside unionfsd, in ../libexec/unionfsd or in PATH")
        }
        guard let text = Doctor.output(of: program, ["--version"]) else {
            return Finding(topic, key, .bad, "\(program) does not run", "see what it says: \(program) --version")
        }
        return Finding(topic, key, .good, text.split(separator: "\n").joined(separator: ", "))
    }

    private static func openFiles() -> Finding {
        let limit = Process.raiseOpenFileLimit()
        return Finding(
            "open files", "open_files", limit >= 4096 ? .good : .lacking, "up to \(limit)",
            "descriptors are a cache: a mount works with 256, slower; ulimit -Hn 65536, or LimitNOFILE= of the service")
    }

    private static func runDirectory() -> Finding {
        do throws(RegistryError) {
            return Finding("run directory", "run_directory", .good, "\(try RunDirectory(create: true).path)")
        } catch {
            return Finding(
                "run directory", "run_directory", .lacking, error.description,
                """
                mounts work, and cannot be listed, nor their statistics read: make one, or name one in \
                UNIONFSD_RUN_DIR
                """
            )
        }
    }
}
