internal import Glibc
public import LinuxSys

/// What reading does to the access time of an upper object, as the mount's flags say (mount(8); touch_atime).
public struct AccessTimeRule: Equatable, Sendable {
    public enum Moves: UInt8, Sendable { case never, relative, always }
    public let moves: Moves
    /// Of directories, too.
    public let ofDirectories: Bool

    /// - Parameter isReadOnly: the whole filesystem is, and then nothing of it changes.
    public init(_ flags: MountFlags, isReadOnly: Bool) {
        moves =
            isReadOnly || flags.contains(.noAccessTime)
            ? .never : flags.contains(.strictAccessTime) ? .always : .relative
        ofDirectories = moves != .never && !flags.contains(.noDirAccessTime)
    }
    /// As statfs(2) tells the flags of a mount (ST_NOATIME, ST_NODIRATIME, ST_RELATIME).
    public init(statfs flags: UInt32) {
        moves = flags & 0x400 != 0 ? .never : flags & 0x1000 != 0 ? .relative : .always
        ofDirectories = moves != .never && flags & 0x800 == 0
    }
    /// One byte, for who keeps it where others change it.
    public init(raw: UInt8) {
        moves = Moves(rawValue: raw & 3) ?? .never
        ofDirectories = raw & 4 != 0
    }
    public var raw: UInt8 { moves.rawValue | (ofDirectories ? 4 : 0) }

    public var attributes: MountAttributes {
        var attributes: MountAttributes = ofDirectories ? [] : .noDirAccessTime
        switch moves {
        case .never: attributes.insert(.noAccessTime)
        case .relative: break
        case .always: attributes.insert(.strictAccessTime)
        }
        return attributes
    }
}

/// Upper and work directory through one private mount, whose flags say what readers do to access times, the kernel's
/// own reads in passthrough among them. One for both, as nothing is renamed between two mounts (EXDEV): a copy of the
/// mount from the directory on that they have in common. What is mounted below them is not in view.
final class UpperMount: Sendable {
    /// The mount's root. As long as it is open the flags can be changed (is_mounted).
    let tree: OwnedFD
    private let upperPath: FileName, workPath: FileName

    /// Nil where none can be had (`FD.cloneTree`), or where the paths of the two lead elsewhere by now: the layers are
    /// opened as they were named then.
    init?(upper: FileName, work: FileName, _ rule: AccessTimeRule) {
        do throws(Errno) {
            let given = (try UpperMount.identity(upper), try UpperMount.identity(work))
            let paths = (given.0.path.bytes.split(separator: slash), given.1.path.bytes.split(separator: slash))
            let shared = zip(paths.0, paths.1).prefix { $0.elementsEqual($1) }.count
            let root = FileName(bytes: [slash] + Array(paths.0.prefix(shared).joined(separator: [slash])))
            upperPath = UpperMount.relative(paths.0.dropFirst(shared))
            workPath = UpperMount.relative(paths.1.dropFirst(shared))
            tree = try root.withRef { (p) throws(Errno) in try FD.cloneTree(p, rule.attributes) }
            let innerUpper = try openUpper()
            let innerWork = try openWork()
            guard try UpperMount.isSame(innerUpper.fd.status(), given.0.status),
                try UpperMount.isSame(innerWork.fd.status(), given.1.status)
            else { return nil }
        } catch { return nil }
    }
    /// Of another program, for the same stack.
    init(adopting tree: FD) throws(Errno) {
        self.tree = try tree.duplicate()
        upperPath = "."
        workPath = "."
    }

    func openUpper() throws(Errno) -> OwnedFD { try open(upperPath) }
    func openWork() throws(Errno) -> OwnedFD { try open(workPath) }
    private func open(_ path: FileName) throws(Errno) -> OwnedFD {
        try path.withRef { (p) throws(Errno) in try tree.fd.openBeneath(p, O_RDONLY | OpenFlags.directory) }
    }

    private static func identity(_ path: FileName) throws(Errno) -> (path: FileName, status: FileStatus) {
        let directory = try FD.currentDirectory.open(path, OpenFlags.path | OpenFlags.directory)
        return (try directory.fd.path(), try directory.fd.status())
    }
    private static func isSame(_ a: FileStatus, _ b: FileStatus) -> Bool { a.ino == b.ino && a.dev == b.dev }
    private static func relative(_ parts: some Sequence<some Sequence<UInt8>>) -> FileName {
        let path = Array(parts.joined(separator: [slash]))
        return path.isEmpty ? "." : FileName(bytes: path)
    }
}
private let slash = UInt8(ascii: "/")
