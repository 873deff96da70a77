public import LinuxSys

/// One sentence for a person.
public struct RegistryError: Error, Sendable, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// Where the mounts of one user leave word of themselves: `/run/unionfsd` for root, `$XDG_RUNTIME_DIR/unionfsd`, else
/// `/tmp/unionfsd-UID`. Only its owner may look in, and no part of it that others could plant is followed.
/// `$UNIONFSD_RUN_DIR` names another one.
public struct RunDirectory: ~Copyable, Sendable {
    public let path: FileName
    let directory: OwnedFD
    var fd: FD { directory.fd }

    /// The first place where there is one, or with `create` where one can be made.
    public init(create: Bool) throws(RegistryError) {
        var reasons: [String] = []
        for (base, name) in RunDirectory.candidates() {
            let path = base.appending(component: name)
            do throws(Errno) {
                directory = try RunDirectory.open(base, name, create: create)
                self.path = path
                return
            } catch {
                reasons.append(
                    "\(path): \(error == .notPermitted ? "not a directory of this user's alone" : error.text)")
            }
        }
        throw RegistryError("no run directory: \(reasons.joined(separator: "; "))")
    }

    /// That directory and no other: `name` in `base`.
    init(_ base: FileName, _ name: FileName, create: Bool) throws(RegistryError) {
        path = base.appending(component: name)
        do throws(Errno) { directory = try RunDirectory.open(base, name, create: create) } catch {
            throw RegistryError("\(base)/\(name): \(error.text)")
        }
    }

    private static func candidates() -> [(FileName, FileName)] {
        if let chosen = Process.environment("UNIONFSD_RUN_DIR") {
            let bytes = Array(chosen.bytes)
            guard let slash = bytes.lastIndex(of: 0x2f) else { return [(".", chosen)] }
            return [(slash == 0 ? "/" : FileName(bytes: bytes[..<slash]), FileName(bytes: bytes[(slash + 1)...]))]
        }
        var places: [(FileName, FileName)] = []
        // In a user namespace we may be called root and still own nothing in /run.
        if Process.effectiveUser == 0 && Process.isInInitialUserNamespace { places.append(("/run", "unionfsd")) }
        if let runtime = Process.environment("XDG_RUNTIME_DIR"),
            Process.effectiveUser != 0 || !Process.isInInitialUserNamespace
        {
            places.append((runtime, "unionfsd"))
        }
        places.append(("/tmp", FileName("unionfsd-\(Process.outerUser)")))
        return places
    }

    /// EPERM where somebody else could have a hand in it.
    private static func open(_ base: FileName, _ name: FileName, create: Bool) throws(Errno) -> OwnedFD {
        let parent = try FD.currentDirectory.open(base, OpenFlags.path | OpenFlags.directory)
        return try name.withRef { (n) throws(Errno) in
            if create {
                do throws(Errno) { try parent.fd.makeDirectory(n, mode: 0o700) } catch {
                    if error != .exists { throw error }
                }
            }
            let directory = try parent.fd.openDirectory(n)
            let status = try directory.fd.status()
            guard status.uid == Process.effectiveUser, status.permissions & 0o077 == 0 else { throw Errno.notPermitted }
            return directory
        }
    }
}
