internal import LinuxSys
internal import MountState
internal import UnionCore

/// Everything that can be found wrong, or has to be said, before anything is mounted.
struct Preflight {
    /// With absolute paths from here on: we are about to leave the current directory.
    let mountpoint: FileName
    /// Upper and work are ours, for as long as this lives.
    let claim: LayerClaim?
    let notes: [String]

    init(_ options: MountOptions) throws(RegistryError) {
        let isStrict = options.form == .strict
        var notes = options.notes
        do throws(UnionError) { notes += try LayerValidation.check(options) } catch {
            throw RegistryError(error.message)
        }

        if !options.securityContexts.isEmpty, !Serve.hasSELinux {
            notes.append("the security context is ignored: this kernel runs no SELinux")
        }
        guard let given = options.mountpoint else { throw RegistryError("no mount point given") }
        let occupied: String?
        do throws(Errno) {
            mountpoint = try MountTable.resolve(given).path
            occupied = try Preflight.occupied(mountpoint)
        } catch { throw RegistryError("mount point \"\(given)\": \(error.text)") }
        if let occupied {
            if isStrict { throw RegistryError("\(occupied): unmount it first (unionfsd umount \(mountpoint))") }
            notes.append("\(occupied); this one covers it")
        }

        if options.flags.contains(.lazyTime), let upper = options.upper, !Preflight.isLazy(upper) {
            notes.append(
                """
                lazytime: when times reach the disk is for the filesystem of \"\(upper)\" to say, which is \
                mounted without it (mount -o remount,lazytime)
                """
            )
        }
        if let upper = options.upper, let work = options.work, !options.readOnly {
            let claim = try LayerClaim(upper: upper, work: work, refuse: isStrict)
            if let note = claim.note { notes.append(note) }
            self.claim = claim
        } else {
            claim = nil
        }
        self.notes = notes
    }

    private static func isLazy(_ upper: FileName) -> Bool {
        do throws(Errno) {
            guard let id = try MountTable.resolve(upper).mountID,
                let entry = try MountTable().entries.first(where: { $0.id == id })
            else { return false }
            return MountFlags(words: entry.superOptions).contains(.lazyTime)
        } catch { return false }
    }

    private static func occupied(_ mountpoint: FileName) throws(Errno) -> String? {
        guard let top = try MountTable.top(at: mountpoint), top.type.bytes.elementsEqual("fuse.unionfsd".utf8) else {
            return nil
        }
        return "\"\(mountpoint)\" is a mount of unionfsd already"
    }

    func record(_ call: Call) -> MountRecord {
        let options = call.options
        var record = MountRecord(mountpoint: mountpoint)
        record.lower = options.lower.map(Preflight.absolute)
        record.dataLower = options.dataLower.map(Preflight.absolute)
        record.upper = options.upper.map(Preflight.absolute)
        record.work = options.work.map(Preflight.absolute)
        record.options = FileName(bytes: call.text)
        record.readOnly = options.isReadOnly
        record.beganReadOnly = options.isReadOnly
        record.byEngine = options.form == .engine
        record.pid = Process.id
        record.start = Clock.realtime
        record.version = Version.text
        record.upperIdentity = claim?.upperIdentity
        record.workIdentity = claim?.workIdentity
        return record
    }

    static func absolute(_ path: FileName) -> FileName {
        do throws(Errno) { return try MountTable.resolve(path).path } catch { return path }
    }
}
