internal import Foundation
internal import Glibc
internal import LayerStore
internal import LinuxSys
internal import MountState

/// Makes a user namespace in which this process's user is root and has the ids of /etc/subuid and /etc/subgid, and a
/// mount namespace.
enum NamespaceMaker {
    private typealias Process = LinuxSys.Process

    static func make() throws(StoreError) {
        let user = Process.effectiveUser
        let group = Process.effectiveGroup
        let name = Array(NSUserName().utf8)
        let users = SubordinateIDs.users(of: user, name: name)
        let groups = SubordinateIDs.groups(of: user, name: name)
        if users.isEmpty != groups.isEmpty {
            throw failure("there is a line for this user in one of /etc/subuid and /etc/subgid, and not in the other")
        }
        if users.isEmpty {
            try makeForOne(user, group)
        } else {
            // Never with fewer ids than the user has, for want of a program: files would get wrong owners, and those
            // that are there nobody's.
            guard let usersHelper = helper("newuidmap"), let groupsHelper = helper("newgidmap") else {
                throw StoreError(
                    .notFound,
                    """
                    newuidmap and newgidmap are missing, which give an ordinary user's containers the ids of \
                    /etc/subuid: apt-get install uidmap
                    """
                )
            }
            try make(with: [
                [usersHelper, "newuidmap"] + map(user, users), [groupsHelper, "newgidmap"] + map(group, groups),
            ])
        }
        do throws(Errno) {
            try UserNamespace.becomeRoot()
            // That it is root in fact: where AppArmor restricts user namespaces, all is made and nothing allowed.
            try Mounts.stopPropagation()
        } catch {
            throw failure(
                error == .accessDenied || error == .notPermitted
                    ? """
                    it may do nothing in it (AppArmor: kernel.apparmor_restrict_unprivileged_userns, or a \
                    profile for unionfsd that has \"userns,\")
                    """
                    : error.text)
        }
    }
    /// Where cron(8), for one, has a short PATH.
    private static func helper(_ name: FileName) -> FileName? {
        MountProgram.inPath(name) ?? MountProgram.find(name, in: ["/usr/bin", "/bin", "/usr/local/bin"])
    }

    /// The arguments of newuidmap(1): root is the user themselves, and from 1 on come the others.
    private static func map(_ own: UInt32, _ ranges: [SubordinateIDs.Range]) -> [FileName] {
        var words = [FileName("\(Process.id)"), "0", FileName("\(own)"), "1"]
        var next: UInt32 = 1
        // The kernel takes 340 lines, and more than 2^32 of ids there are not.
        for range in ranges.prefix(339) where !next.addingReportingOverflow(range.count).overflow {
            words += [FileName("\(next)"), FileName("\(range.start)"), FileName("\(range.count)")]
            next += range.count
        }
        return words
    }

    /// The maps are written from outside, by programs that may: a child stays there for that.
    private static func make(with helpers: [[FileName]]) throws(StoreError) {
        let made: (go: (read: FD, write: FD), said: (read: FD, write: FD), child: Int32)
        do throws(Errno) { made = (try Process.pipe(), try Process.pipe(), try Process.fork()) } catch {
            throw failure(error.text)
        }
        if made.child == 0 {
            made.go.write.close()
            made.said.read.close()
            // Nothing comes where the parent has died or got no namespace.
            if (try? made.go.read.readAll(limit: 1)) != [1] { _exit(1) }
            for words in helpers {
                guard let program = words.first else { continue }
                do throws(Errno) {
                    let result = try Process.capture(program, Array(words.dropFirst()))
                    if result.exit != .code(0) {
                        try made.said.write.writeAll(
                            (result.output.isEmpty ? Array("\(program) fails".utf8) : result.output) + [0x0a])
                    }
                } catch { try? made.said.write.writeAll(Array("\(program): \(error.text)\n".utf8)) }
            }
            _exit(0)
        }
        made.go.read.close()
        made.said.write.close()
        var reason: String?
        do throws(Errno) {
            try UserNamespace.make()
            try made.go.write.writeAll([1])
        } catch { reason = sentence(error) }
        made.go.write.close()
        let said = (try? made.said.read.readAll(limit: 4096)) ?? []
        made.said.read.close()
        _ = try? Process.wait(made.child)
        if let reason { throw failure(reason) }
        guard let line = said.split(separator: 0x0a).first else { return }
        let text = String(decoding: line, as: UTF8.self)
        throw failure(
            text.contains("owned by a different")
                ? "\(text): this process has another group than its user (newgrp, sg): begin with the user's own" : text
        )
    }

    /// Without other ids than the user's own, which anybody may do: all files are root's then.
    private static func makeForOne(_ user: UInt32, _ group: UInt32) throws(StoreError) {
        do throws(Errno) {
            try UserNamespace.make()
            for (file, text) in [("setgroups", "deny"), ("uid_map", "0 \(user) 1"), ("gid_map", "0 \(group) 1")] {
                let map = try FD.currentDirectory.open(FileName("/proc/self/\(file)"), O_WRONLY)
                try map.fd.writeAll(Array(text.utf8))
            }
        } catch { throw failure(sentence(error)) }
    }

    private static func sentence(_ error: Errno) -> String {
        if error == .noSpace { return "no more are allowed (user.max_user_namespaces)" }
        if error == .notPermitted {
            return "this user may not (kernel.unprivileged_userns_clone, a seccomp profile, or a chroot)"
        }
        return error.text
    }
    private static func failure(_ reason: String) -> StoreError {
        StoreError(
            .system,
            """
            no user namespace can be made, in which an ordinary user's containers are: \(reason) (unionfsd \
            doctor says what this machine allows)
            """
        )
    }
}
