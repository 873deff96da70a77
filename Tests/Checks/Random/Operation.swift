import Glibc

/// One operation of the random sequence. Paths are relative to the root of a tree. The last component is never
/// followed where following could create something: a dangling symlink's target is no name of the model.
enum Operation: Sendable {
    case create(Name, mode: UInt32, flags: Int32, Data, slot: Int?)
    case open(Name, flags: Int32, slot: Int)
    case close(slot: Int)
    case write(Name, offset: Int64, Data)
    case append(Name, Data)
    case truncate(Name, Int)
    case openTruncate(Name)
    case allocate(Name, mode: Int32, offset: Int64, length: Int64)
    case mapWrite(Name, offset: Int, Data)
    case copyRange(Name, Int64, to: Name, Int64, count: Int)
    case chmod(Name, UInt32)
    case chown(Name, uid: Int, gid: Int)
    case utimens(Name, access: Moment, modify: Moment)
    case setxattr(Name, Name, [UInt8], flags: Int32)
    case removexattr(Name, Name)
    case mkdir(Name, UInt32)
    case rmdir(Name)
    case unlink(Name)
    case rename(Name, Name, UInt32)
    case link(Name, Name)
    case symlink(Name, at: Name)
    case mknod(Name, UInt32, UInt64)
    case temporary(inside: Name, mode: UInt32, Data, published: Name?, slot: Int?)
    case list(Name)
    case stat(Name)
    case read(Name)
    case readlink(Name)
    case access(Name, Int32)
    case sync(Name)
    case removeTree(Name)
    case copyFile(Name, to: Name)
    case getxattrs(Name)
    case setFlag(Name, UInt32)
    /// Sets the flag, tries everything that it forbids, and takes it away again.
    case guarded(Name, UInt32)
    case direct(Name, offset: Int, blocks: Int, seed: UInt64)
    case mapRead(Name)
    case clone(Name, to: Name)
    case holes(Name, Int64)
    case sendfile(Name, to: Name)
    // On what was opened by an earlier operation. `named`: it still has the name it was opened by.
    case slotWrite(slot: Int, offset: Int64, Data)
    case slotRead(slot: Int, offset: Int64, count: Int)
    case slotStat(slot: Int, named: Bool)
    case slotTruncate(slot: Int, Int64)
    case slotChmod(slot: Int, UInt32)
    case slotXattr(slot: Int, Name, [UInt8])
    case slotTimes(slot: Int, Moment)
    case slotAllocate(slot: Int, mode: Int32, offset: Int64, length: Int64)
    case slotAppend(slot: Int, Data)

    /// Contents that are made again from a number when they are needed.
    struct Data: Sendable, CustomStringConvertible {
        var seed: UInt64
        var count: Int

        var bytes: [UInt8] {
            var random = Random(seed: seed)
            return random.bytes(count)
        }
        var description: String { "\(count) bytes" }
    }
}

extension Operation: CustomStringConvertible {
    var description: String {
        switch self {
        case .create(let path, let mode, let flags, let data, let slot):
            "create(\(path), \(octal(mode)), \(openFlags(flags)), \(data))" + Self.keeps(slot)
        case .open(let path, let flags, let slot): "open(\(path), \(openFlags(flags)))" + Self.keeps(slot)
        case .close(let slot): "close(slot \(slot))"
        case .write(let path, let offset, let data): "write(\(path), at \(offset), \(data))"
        case .append(let path, let data): "append(\(path), \(data))"
        case .truncate(let path, let length): "truncate(\(path), \(length))"
        case .openTruncate(let path): "open(\(path), O_TRUNC)"
        case .allocate(let path, let mode, let offset, let length):
            "fallocate(\(path), mode \(mode), \(offset), \(length))"
        case .mapWrite(let path, let offset, let data): "mmap(\(path)), store at \(offset), \(data)"
        case .copyRange(let from, let offset, let to, let target, let count):
            "copy_file_range(\(from) at \(offset), \(to) at \(target), \(count))"
        case .chmod(let path, let mode): "chmod(\(path), \(octal(mode)))"
        case .chown(let path, let uid, let gid): "lchown(\(path), \(uid), \(gid))"
        case .utimens(let path, let access, let modify): "utimensat(\(path), \(access.text), \(modify.text))"
        case .setxattr(let path, let name, let value, let flags): "lsetxattr(\(path), \(name), \(hex(value)), \(flags))"
        case .removexattr(let path, let name): "lremovexattr(\(path), \(name))"
        case .mkdir(let path, let mode): "mkdir(\(path), \(octal(mode)))"
        case .rmdir(let path): "rmdir(\(path))"
        case .unlink(let path): "unlink(\(path))"
        case .rename(let old, let new, let flags): "rename(\(old), \(new), \(renameFlags(flags)))"
        case .link(let old, let new): "link(\(old), \(new))"
        case .symlink(let target, let path): "symlink(\(target), \(path))"
        case .mknod(let path, let mode, let device):
            "mknod(\(path), \(kindName(mode)) \(octal(mode & 0o7777)), \(device))"
        case .temporary(let place, let mode, let data, let published, let slot):
            "open(\(place), O_TMPFILE, \(octal(mode))), \(data)" + (published.map { ", linkat(\($0))" } ?? "")
                + Self.keeps(slot)
        case .list(let path): "readdir(\(path))"
        case .stat(let path): "lstat(\(path))"
        case .read(let path): "read(\(path))"
        case .readlink(let path): "readlink(\(path))"
        case .access(let path, let mode): "access(\(path), \(mode))"
        case .sync(let path): "fsync(\(path))"
        case .removeTree(let path): "rm -rf \(path)"
        case .copyFile(let from, let to): "cp \(from) \(to)"
        case .getxattrs(let path): "llistxattr(\(path)) and each"
        case .setFlag(let path, let flag): "FS_IOC_SETFLAGS(\(path), \(String(flag, radix: 16)))"
        case .guarded(let path, let flag): "changes of \(path) under flag \(String(flag, radix: 16))"
        case .direct(let path, let offset, let blocks, _): "pwrite(\(path), O_DIRECT, at \(offset), \(blocks) blocks)"
        case .mapRead(let path): "mmap(\(path)), read"
        case .clone(let from, let to): "FICLONE(\(from), \(to))"
        case .holes(let path, let offset): "SEEK_DATA, SEEK_HOLE(\(path), \(offset))"
        case .sendfile(let from, let to): "sendfile(\(from), \(to))"
        case .slotWrite(let slot, let offset, let data): "pwrite(slot \(slot), at \(offset), \(data))"
        case .slotRead(let slot, let offset, let count): "pread(slot \(slot), at \(offset), \(count))"
        case .slotStat(let slot, _): "fstat(slot \(slot))"
        case .slotTruncate(let slot, let length): "ftruncate(slot \(slot), \(length))"
        case .slotChmod(let slot, let mode): "fchmod(slot \(slot), \(octal(mode)))"
        case .slotXattr(let slot, let name, let value): "fsetxattr(slot \(slot), \(name), \(hex(value)))"
        case .slotAllocate(let slot, let mode, let offset, let length):
            "fallocate(slot \(slot), mode \(mode), \(offset), \(length))"
        case .slotAppend(let slot, let data): "write(slot \(slot), \(data))"
        case .slotTimes(let slot, let time): "futimens(slot \(slot), \(time.text))"
        }
    }

    private static func keeps(_ slot: Int?) -> String { slot.map { " kept in slot \($0)" } ?? "" }
}

extension Operation {
    /// A union says ENODATA of an access list that is not there, a plain filesystem nothing.
    var differsFromPlain: Bool {
        if case .removexattr(_, let name) = self { return name == ACL.access || name == ACL.default }
        return false
    }
    /// Refused with writeback, or answered otherwise while somebody has the file open for writing (docs/semantics.md).
    var differsWithWriteback: Bool {
        switch self {
        case .guarded, .setFlag, .holes: true
        default: false
        }
    }
}
