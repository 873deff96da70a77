internal import LinuxSys
internal import MountState
internal import UnionCore
internal import UnionFS

/// `mount -o remount,…`: other flags for a live mount. The kernel's part is mount(2), which keeps writers out as of any
/// filesystem; the process that serves then looks at what the mount has become (`UnionFileSystem.followMount`).
enum Remount {
    static func run(_ call: Call) throws(RegistryError) {
        guard let given = call.options.mountpoint else { throw RegistryError("no mount point given") }
        let place: FileName
        let entry: MountEntry?
        do throws(Errno) {
            place = try MountTable.resolve(given).path
            entry = try MountTable.top(at: place)
        } catch { throw RegistryError("mount point \"\(given)\": \(error.text)") }
        guard let entry, entry.isFuse else {
            throw RegistryError("\"\(given)\" is not a mount of unionfsd: there is nothing to remount")
        }
        let record = try MountRegistry.list().last { $0.record.device == entry.device }?.record
        let present = MountFlags(entry)
        let request: RemountRequest
        do throws(OptionError) {
            request = try RemountRequest(
                call.options, live: try record.map { (r) throws(OptionError) in try live(r) }, present: present,
                shown: Set(entry.superOptions.bytes.split(separator: 0x2c).map { String(decoding: $0, as: UTF8.self) }),
                resolve: Preflight.absolute)
        } catch { throw RegistryError("\(place): \(error)") }
        var flags = request.flags
        if let record, present.contains(.readOnly), !flags.contains(.readOnly) {
            // fstab(5) says "rw" of each that is not "ro".
            if record.upper == nil {
                Console.say("\(place) stays read-only: it has no upper layer")
                flags.insert(.readOnly)
            } else if record.beganReadOnly {
                throw RegistryError(Remount.began(place))
            }
        }
        if call.isFake { return }
        try change(place, to: flags)
        do throws(Errno) { try tell(place) } catch {
            do throws(RegistryError) { try change(place, to: present) } catch { Console.say(error.description) }
            throw RegistryError(
                error == .readOnly
                    ? began(place)
                    : "\(place): the process that serves cannot follow (\(error.text)); the flags are as they were")
        }
    }
    private static func began(_ place: FileName) -> String {
        """
        \(place) was mounted read-only, and its upper layer is not open for writing: unmount it, and mount it \
        without \"ro\"
        """
    }

    /// What the mount was made with.
    private static func live(_ record: MountRecord) throws(OptionError) -> MountOptions {
        var options = MountOptions(form: record.byEngine ? .engine : .strict)
        try options.apply(record.options)
        try options.finish()
        options.lower = record.lower
        options.dataLower = record.dataLower
        options.upper = record.upper
        options.work = record.work
        return options
    }

    private static func change(_ place: FileName, to flags: MountFlags) throws(RegistryError) {
        do throws(Errno) { try Mounts.remount(place, flags: flags.rawValue) } catch {
            switch error {
            case .busy: throw RegistryError("\(place) is busy: a file is open for writing in it (see fuser -m)")
            case .notPermitted: throw RegistryError("\(place): only root may change the flags of a mount")
            default: throw RegistryError("\(place): the flags of the mount cannot be changed: \(error.text)")
            }
        }
    }

    private static func tell(_ place: FileName) throws(Errno) {
        let root = try FD.currentDirectory.open(place, OpenFlags.directory)
        try root.fd.ioctl(UnionFileSystem.followMountCommand)
    }

    /// Flags that libfuse and fusermount3 know nothing of, for a mount that was just made. Nothing of it has been
    /// served yet.
    static func setFlags(_ mountpoint: FileName, _ options: MountOptions) {
        let wanted = options.flags.intersection([.strictAccessTime, .noDirAccessTime, .lazyTime])
        guard !wanted.isEmpty, let entry = try? MountTable.top(at: mountpoint) else { return }
        do throws(Errno) {
            var flags = MountFlags(entry).union(wanted)
            if wanted.contains(.strictAccessTime) { flags.subtract([.noAccessTime, .relativeAccessTime]) }
            try Mounts.remount(mountpoint, flags: flags.rawValue)
        } catch {
            Console.say(
                """
                \(mountpoint): /proc/mounts does not show strictatime, nodiratime and lazytime, which only root \
                may give a mount: \(error.text)
                """
            )
        }
    }

    /// As the mount is now: what a process that takes over goes by, and who is told to look.
    static func flags(_ record: MountRecord) -> MountFlags? {
        guard let device = record.device, let table = try? MountTable() else { return nil }
        let entries = table.entries.filter { $0.device == device }
        return (entries.last { $0.mountpoint == record.mountpoint } ?? entries.first).map { MountFlags($0) }
    }
}

extension MountFlags {
    /// Of the mount and of its filesystem.
    init(_ entry: MountEntry) {
        self = MountFlags(words: entry.mountOptions).union(MountFlags(words: entry.superOptions))
        if isDisjoint(with: [.noAccessTime, .relativeAccessTime]) { insert(.strictAccessTime) }
    }
}
