import LinuxSys

@testable import UnionCore

/// A directory of its own for one test, removed with its owner; what a test that crashed left is removed by the next
/// run.
final class Sandbox {
    let path: FileName
    /// Part of every path and of some names in here: tells our descriptors from those of tests that run beside us.
    let token: String
    private var mounts: [FileName] = []
    /// As a mount has it; and what dead processes left.
    private static let prepared: Void = {
        Process.setUmask(0)
        sweep()
    }()
    private static let prefix = "unionfsd-coretest-"

    init() throws {
        _ = Self.prepared
        token = "\(Self.prefix)\(Process.id)-\(String(UInt64.random(in: 0...UInt64.max), radix: 16))"
        path = FileName("/var/tmp/" + token)
        try Self.here.makeDirectory(path, mode: 0o755)
    }
    deinit {
        for mount in mounts { try? Mounts.unmount(mount, lazily: true) }
        try? path.withRef { p in try removeTree(Self.here, p) }
    }
    private static let here = FD.currentDirectory

    private static func sweep() {
        guard let temporary = try? here.open("/var/tmp", OpenFlags.directory) else { return }
        var stale: [FileName] = []
        var reader = DirectoryReader(temporary.fd)
        try? reader.forEach { name, _, _ in
            let text = name.owned.description
            guard text.hasPrefix(prefix), let owner = Int32(text.dropFirst(prefix.count).prefix { $0 != "-" }) else {
                return true
            }
            if !Process.isAlive(owner) { stale.append(name.owned) }
            return true
        }
        for name in stale {
            try? Mounts.unmount(FileName("/var/tmp").appending(component: name).appending(component: "m"), lazily: true)
            try? name.withRef { n in try removeTree(temporary.fd, n) }
        }
    }

    func at(_ name: FileName) -> FileName { path.appending(component: name) }

    /// Makes what each word says below `layer`: `d/` a directory, `f=text` a file, `l->target` a symlink, `w!` a
    /// whiteout 0/0, `p|` a fifo, `a==b` a second name b for a. Parents come first.
    func build(_ layer: FileName, _ words: [String]) throws {
        if !exists(layer) { try directory(layer) }
        for word in words {
            let bytes = Array(word.utf8)
            if let end = word.firstRange(of: "==") {
                try link(
                    layer / FileName(String(word[..<end.lowerBound])), layer / FileName(String(word[end.upperBound...]))
                )
            } else if let end = word.firstRange(of: "->") {
                try symlink(
                    layer / FileName(String(word[..<end.lowerBound])), FileName(String(word[end.upperBound...])))
            } else if let end = bytes.firstIndex(of: 0x3d) {
                try file(layer / FileName(bytes: bytes[..<end]), Array(bytes[(end + 1)...]))
            } else {
                let own = layer / FileName(bytes: bytes.dropLast())
                switch bytes.last {
                case 0x2f: try directory(own)
                case 0x21: try node(own, mode: 0o020000)
                case 0x7c: try node(own, mode: 0o010644)
                default: try file(layer / FileName(word), [])
                }
            }
        }
    }
    func directory(_ name: FileName, mode: UInt32 = 0o755) throws {
        try Self.here.makeDirectory(at(name), mode: 0o755)
        try setMode(name, mode)
    }
    func file(_ name: FileName, _ content: [UInt8], mode: UInt32 = 0o644) throws {
        let file = try Self.here.open(at(name), 0o1101 /* O_WRONLY O_CREAT O_TRUNC */, mode: 0o644)
        try file.fd.writeAll(content)
        try setMode(name, mode)
    }
    func symlink(_ name: FileName, _ target: FileName) throws {
        try at(name).withRef { n in try target.withRef { t in try Self.here.makeSymlink(n, target: t) } }
    }
    /// `mode` with the type bits.
    func node(_ name: FileName, mode: UInt32, device: UInt64 = 0) throws {
        try at(name).withRef { n in try Self.here.makeNode(n, mode: mode, device: device) }
    }
    func link(_ old: FileName, _ new: FileName) throws {
        try at(old).withRef { o in try at(new).withRef { n in try Self.here.link(o, to: Self.here, n) } }
    }
    func setMode(_ name: FileName, _ mode: UInt32) throws {
        try at(name).withRef { n in try Self.here.changeMode(n, mode) }
    }
    func setOwner(_ name: FileName, _ uid: UInt32, _ gid: UInt32) throws {
        try at(name).withRef { n in try Self.here.changeOwner(n, uid: uid, gid: gid) }
    }
    func setTimes(_ name: FileName, _ access: Timestamp, _ modification: Timestamp) throws {
        try at(name).withRef { n in try Self.here.setTimes(n, access: access, modification: modification) }
    }
    func mark(_ name: FileName, _ attribute: FileName, _ value: [UInt8]) throws {
        try at(name).withRef { n in try attribute.withRef { a in try Self.here.setXattr(n, a, value) } }
    }
    func mark(_ name: FileName, _ attribute: FileName, _ value: String) throws {
        try mark(name, attribute, Array(value.utf8))
    }
    func xattr(_ name: FileName, _ attribute: FileName) throws -> [UInt8]? {
        try at(name).withRef { n in try attribute.withRef { a in try Self.here.xattrIfPresent(n, a) } }
    }
    func text(_ name: FileName, _ attribute: FileName) throws -> String? {
        try xattr(name, attribute).map { String(decoding: $0, as: UTF8.self) }
    }
    func status(_ name: FileName) throws -> FileStatus { try at(name).withRef { n in try Self.here.status(n) } }
    func exists(_ name: FileName) -> Bool { (try? status(name)) != nil }
    func isWhiteout(_ name: FileName) -> Bool { (try? status(name)).map(Whiteout.isDevice) ?? false }
    func content(_ name: FileName) throws -> String {
        String(decoding: try bytes(name), as: UTF8.self)
    }
    func bytes(_ name: FileName) throws -> [UInt8] { try at(name).withRef { n in try Self.content(Self.here, n) } }
    func names(_ name: FileName) throws -> [String] {
        let directory = try Self.here.open(at(name), OpenFlags.directory)
        var all: [String] = []
        var reader = DirectoryReader(directory.fd)
        try reader.forEach { n, _, _ in
            all.append(n.owned.description)
            return true
        }
        return all.sorted()
    }

    /// The layers by name, `u` and `w` as upper and work; made where they are missing.
    func options(_ lowers: [FileName], upper: Bool = true) throws -> MountOptions {
        var options = MountOptions(form: .strict)
        for name in lowers + (upper ? ["u", "w"] : []) where !exists(name) { try directory(name) }
        options.lower = lowers.map(at)
        if upper {
            options.upper = at("u")
            options.work = at("w")
        }
        return options
    }
    func stack(
        _ lowers: [FileName], upper: Bool = true, faults: FaultPlan? = nil,
        _ change: (inout MountOptions) -> Void = { _ in }
    ) throws -> LayerStack {
        var options = try options(lowers, upper: upper)
        change(&options)
        return try LayerStack(options: options, faults: faults)
    }

    /// What the kernel's own overlayfs shows of the same layers, at `m` for the length of the call.
    func kernel<R>(
        _ lowers: [FileName], upper: Bool = true, _ more: String = "index=on,redirect_dir=on",
        _ body: (FileName) throws -> R
    ) throws -> R {
        if !exists("m") { try directory("m") }
        var words = "lowerdir=" + lowers.map { at($0).description }.joined(separator: ":")
        if upper { words += ",upperdir=\(at("u")),workdir=\(at("w"))" }
        let target = at("m")
        try Mounts.mount(
            source: "overlay", target: target, type: "overlay", flags: 0,
            data: FileName(words + (more.isEmpty ? "" : "," + more)))
        mounts.append(target)
        defer {
            try? Mounts.unmount(target, lazily: false)
            mounts.removeLast()
        }
        return try body("m")
    }

    /// Open descriptors of this process that belong to this sandbox: by their path, or where they were opened through a
    /// private mount, which has another, by what they are.
    func descriptors() throws -> [String] {
        let all = try Self.here.open("/proc/self/fd", OpenFlags.directory)
        let root = try Self.here.open(path, OpenFlags.directory)
        var own: Set<[UInt64]> = []
        try collect(root.fd, &own)
        let besides = root.fd.raw
        var found: [String] = []
        var reader = DirectoryReader(all.fd)
        try reader.forEach { name, _, _ in
            guard let number = Int32(name.owned.description), number != besides else { return true }
            let target = (try? all.fd.readLink(name).description) ?? ""
            if target.contains(token) {
                found.append(target)
            } else if let status = try? FD(raw: number).status(), own.contains([status.dev, status.ino]) {
                found.append("\(token): \(target)")
            }
            return true
        }
        _ = root.fd
        return found.sorted()
    }
    private func collect(_ directory: FD, _ found: inout Set<[UInt64]>) throws {
        let status = try directory.status()
        found.insert([status.dev, status.ino])
        let copy = try directory.openDirectory(NameRef.dot)
        var reader = DirectoryReader(copy.fd)
        var below: [FileName] = []
        try reader.forEach { name, _, _ in
            if !name.isDotOrDotDot { below.append(name.owned) }
            return true
        }
        for name in below {
            let status = try name.withRef { try directory.status($0) }
            found.insert([status.dev, status.ino])
            if status.isDirectory {
                let inner = try name.withRef { try directory.openDirectory($0) }
                try collect(inner.fd, &found)
            }
        }
    }
}

extension FileName {
    static func / (directory: FileName, name: FileName) -> FileName { directory.appending(component: name) }
}
extension FD {
    func makeDirectory(_ path: FileName, mode: UInt32) throws {
        try path.withRef { p in try makeDirectory(p, mode: mode) }
    }
}
/// SplitMix64: a run is repeated with its seed.
struct Generator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
    mutating func below(_ n: Int) -> Int { Int(next() % UInt64(n)) }
}
