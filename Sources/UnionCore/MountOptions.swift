public import LinuxSys

/// Who calls, which decides defaults and how strict we are.
public enum CallForm: Sendable, Equatable {
    /// `unionfsd mount`: a person. What is not understood is an error; layers may hold redirects.
    case strict
    /// `PROGRAM [-f] [-d] -o OPTIONS MNT`: podman, containerd, mount(8). What is not understood is passed over with a
    /// line on stderr, and a layer stays readable for programs that know no redirects.
    case engine
}

/// One range of `uidmapping` or `gidmapping`: ids from `stored` on in the layers are seen from `seen` on in the mount.
public struct IDMapping: Equatable, Sendable {
    public var stored: UInt32
    public var seen: UInt32
    public var count: UInt32
    public init(stored: UInt32, seen: UInt32, count: UInt32) {
        self.stored = stored
        self.seen = seen
        self.count = count
    }
}

/// MS_* of mount(2).
public struct MountFlags: OptionSet, Sendable {
    public let rawValue: UInt
    public init(rawValue: UInt) { self.rawValue = rawValue }
    public static let readOnly = MountFlags(rawValue: 1)
    public static let noSuid = MountFlags(rawValue: 2)
    public static let noDev = MountFlags(rawValue: 4)
    public static let noExec = MountFlags(rawValue: 8)
    public static let synchronous = MountFlags(rawValue: 16)
    public static let dirSync = MountFlags(rawValue: 128)
    public static let noAccessTime = MountFlags(rawValue: 1 << 10)
    public static let noDirAccessTime = MountFlags(rawValue: 1 << 11)
    public static let relativeAccessTime = MountFlags(rawValue: 1 << 21)
    public static let strictAccessTime = MountFlags(rawValue: 1 << 24)
    public static let lazyTime = MountFlags(rawValue: 1 << 25)
    public static let accessTimes: MountFlags = [
        .noAccessTime, .noDirAccessTime, .relativeAccessTime, .strictAccessTime,
    ]

    /// As /proc/self/mountinfo has them, of a mount or of its filesystem; what is no flag is passed over. A mount
    /// without a word of access times moves them with each read.
    public init(words: FileName) {
        self = []
        for word in words.bytes.split(separator: 0x2c) {
            switch String(decoding: word, as: UTF8.self) {
            case "ro": insert(.readOnly)
            case "nosuid": insert(.noSuid)
            case "nodev": insert(.noDev)
            case "noexec": insert(.noExec)
            case "sync": insert(.synchronous)
            case "dirsync": insert(.dirSync)
            case "noatime": insert(.noAccessTime)
            case "nodiratime": insert(.noDirAccessTime)
            case "relatime": insert(.relativeAccessTime)
            case "lazytime": insert(.lazyTime)
            default: break
            }
        }
    }
}

/// Everything that one mount was asked to be. A value: `MountOptions+Parsing.swift` makes it from text,
/// `LayerValidation.swift` holds it against the machine.
public struct MountOptions: Sendable {
    public enum RedirectDir: Sendable, Equatable {
        /// Made and followed; followed only (`off` too, as overlayfs does by default); neither.
        case on, follow, off, noFollow
        public var makes: Bool { self == .on }
        public var follows: Bool { self != .noFollow }
    }
    public enum Switch: Sendable, Equatable { case on, off, auto }
    public enum Durability: Sendable, Equatable {
        /// Each copy-up and its directory synced before it is visible; data durable before it is visible; nothing
        /// synced, and a marker in work that refuses a remount after a crash.
        case strict, auto, volatile
    }
    public enum Whiteouts: Sendable, Equatable {
        /// Device 0/0 and overlay xattrs; `.wh.` names; both read, the first written.
        case overlay, oci, both
        public var readsDevices: Bool { self != .oci }
        /// Names that begin with `.wh.` are markers and no files.
        public var readsNames: Bool { self != .overlay }
    }
    public enum Verity: Sendable, Equatable {
        /// fs-verity digests in metacopy files: not looked at; the data must have them where there are any; each must
        /// have one.
        case off, on, require
    }
    /// Of overlayfs itself. `off`: nor are those of the layers' filesystems looked at.
    public enum UUID: Sendable, Equatable { case null, off }
    public enum Transport: Sendable, Equatable { case auto, dev, uring }

    public var form: CallForm

    /// Uppermost first.
    public var lower: [FileName] = []
    /// Below all of `lower`, seen only through metacopy redirects (`lowerdir=A::D`).
    public var dataLower: [FileName] = []
    public var upper: FileName?
    public var work: FileName?
    public var mountpoint: FileName?

    /// `ro`, or no upper layer.
    public var readOnly = false
    public var redirectDir: RedirectDir
    /// The first change of a file's metadata leaves its data in the lower layer, and layers that have such files are
    /// followed.
    public var metacopy = false
    public var verity: Verity = .off
    public var uuid: UUID = .null
    public var index: Switch
    public var xino: Switch = .auto
    public var durability: Durability = .auto
    /// `user.overlay.*` in place of `trusted.overlay.*`; nil: as our privilege allows.
    public var userXattr: Bool?
    public var whiteouts: Whiteouts = .both

    public var noACL = false
    /// File handles of the mount can be opened (open_by_handle_at(2)): no inode is given up as long as it has a name.
    public var nfsExport = false
    /// No xattr operations at all.
    public var noXattrs = false
    public var staticNlink = false
    public var squashToRoot = false
    public var squashToUID: UInt32?
    public var squashToGID: UInt32?
    public var uidMapping: [IDMapping] = []
    public var gidMapping: [IDMapping] = []
    /// fuse-overlayfs: 0 not, 1 `security.fuseoverlayfs.override_stat`, 2 `user.containers.override_stat`.
    public var xattrPermissions = 0

    /// No passthrough of lower files: every reader sees what is written after a copy-up.
    public var coherent = false
    /// A second process that starts the one that serves again, should it die.
    public var guardian = true
    /// What the upper layer takes on the disk, in bytes, as somebody has counted who knows that nobody has changed it
    /// since: the figure is kept from there. Nil: it is counted when asked for.
    public var usage: Int64?
    /// The number of the process that stays is printed when the mount answers.
    public var tells = false
    /// Writes collect in the page cache of the mount and are written when it is flushed, at close(2) at the latest; in
    /// place of passthrough. auto: where that is not ours.
    public var writeback: Switch = .auto
    public var transport: Transport = .auto
    /// How long the kernel may keep names and attributes; nil: as long as it likes.
    public var cacheSeconds: UInt32?
    /// nil: as the machine suggests; 1 serves one request at a time.
    public var threads: Int?
    /// How long a request waits for a lock before it asks whether anybody works who has it; 0: for ever.
    public var hangSeconds: UInt32 = 10
    /// nil: when we may (root, or `user_allow_other`).
    public var allowOther: Bool?
    public var defaultPermissions = true

    public var flags: MountFlags
    /// Flags that words turned on and off, the last word of each; and `ro` or `rw`. For a change of a live mount.
    public internal(set) var flagsGiven: (set: MountFlags, clear: MountFlags) = ([], [])
    public internal(set) var readOnlyGiven: Bool?
    /// Names of all options in their order, flags too.
    public internal(set) var given: [String] = []
    /// `remount`: a live mount is to be changed (`RemountRequest`).
    public var isRemount = false
    /// SELinux contexts, handed to the kernel as they came: `context="system_u:object_r:container_file_t:s0:c1,c2"`.
    public var securityContexts: [FileName] = []
    /// What /proc/self/mountinfo shows as the source, and behind `fuse.` as the type.
    public var fsname: FileName = "unionfsd"
    public var subtype: FileName = "unionfsd"

    public var debug = false
    public var foreground = false

    /// `redirect_dir` was written out, so that `metacopy=on` must not change it.
    var redirectDirGiven = false
    /// `metacopy=off` was written out.
    var metacopyRefused = false
    /// Lines for the log: what was passed over, and why. Not errors.
    public var notes: [String] = []

    public init(form: CallForm) {
        self.form = form
        index = .auto
        switch form {
        case .strict:
            redirectDir = .on
            flags = [.noAccessTime]
        case .engine:
            // Layers made by engines are read by programs that know no redirects (docs/podman.md, contract 12). Flags
            // as fuse-overlayfs sets them (11).
            redirectDir = .off
            flags = [.noAccessTime, .noDev]
        }
    }

    /// The mount takes no writes: told so, or there is nothing to write to.
    public var isReadOnly: Bool { readOnly || upper == nil }
    public var isVolatile: Bool { durability == .volatile }
}
