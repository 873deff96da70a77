public import LinuxSys

/// How a mount is made and served.
public struct SessionOptions: Sendable {
    /// First column of /proc/mounts (libfuse's `fsname`).
    public var source: FileName = "unionfsd"
    /// The filesystem's type is `fuse.` and this.
    public var subtype: FileName = "unionfsd"
    public var readOnly = false
    /// Device nodes and setuid work only where these are off, which takes root.
    public var noDevices = true
    public var noSetuid = true
    public var noExecute = false
    public var noAccessTime = false
    /// Other users than the one who mounted. An ordinary user needs `user_allow_other` in /etc/fuse.conf.
    public var allowOther = true
    /// The kernel checks modes (and ACLs), so that most ACCESS requests never come.
    public var defaultPermissions = true
    /// Receiving threads; nil: twice the number of processors, 4 at least, 16 at most.
    public var threads: Int?
    /// How requests come. `.automatic`: over io_uring where the kernel offers it and this process may use it, else from
    /// /dev/fuse.
    public var transport = Transport.automatic
    public enum Transport: Sendable { case automatic, device, ring }
    public var wanted = Wanted()
    /// More words for mount(8)'s grammar: `sync`, `dirsync`, `context="…"`.
    public var more: [FileName] = []
    public init() {}

    static let maximumThreads = 16
    /// Of those where threads note what they do (`FileSystem.slot`), the first are for threads on /dev/fuse, and the
    /// last of them for who takes over.
    public static let deviceSlots = maximumThreads + 2
    /// Behind them one for each thread of the rings, at most.
    public static var ringSlots: Int { max(32, 2 * (Ring.possibleProcessors ?? 0)) }
    func threadCount(processors: Int) -> Int {
        min(max(threads ?? max(4, 2 * processors), 1), SessionOptions.maximumThreads)
    }

    /// Threads for each of the io_uring queues: more than one, so that long work does not keep others of the same
    /// processor waiting; 0 where they are not to be used. Whoever asks for one thread wants one request at a time.
    func threadsPerQueue(queues: Int) -> Int {
        if transport == .device || transport == .automatic && threads == 1 { return 0 }
        return max(2, min(4, 32 / max(queues, 1)))
    }

    /// The text behind libfuse's `-o`.
    var libraryOptions: FileName {
        var words: [[UInt8]] = [
            Array("fsname=".utf8) + escaped(source),
            Array("subtype=".utf8) + escaped(subtype),
            Array("max_read=\(wanted.clampedMaxWrite)".utf8),
            Array((readOnly ? "ro" : "rw").utf8),
        ]
        // libfuse begins with nosuid,nodev; fusermount3 refuses an ordinary user the words that lift them.
        if !noDevices { words.append(Array("dev".utf8)) }
        if !noSetuid { words.append(Array("suid".utf8)) }
        if noExecute { words.append(Array("noexec".utf8)) }
        if noAccessTime { words.append(Array("noatime".utf8)) }
        if allowOther { words.append(Array("allow_other".utf8)) }
        if defaultPermissions { words.append(Array("default_permissions".utf8)) }
        for word in more { words.append(escaped(word)) }
        return FileName(bytes: words.joined(separator: [0x2c]))
    }
    /// fuse_opt_parse takes a backslash before a comma or a backslash.
    private func escaped(_ text: FileName) -> [UInt8] {
        text.bytes.flatMap { $0 == 0x2c || $0 == 0x5c ? [0x5c, $0] : [$0] }
    }
}

/// Why there is no mount, or no session any more.
public struct SessionError: Error, Sendable, CustomStringConvertible {
    public let errno: Errno
    /// What failed, in the library's words where it had any.
    public let text: String
    public var description: String { text.isEmpty ? errno.text : "\(text) (\(errno.text))" }
}
