import Glibc

/// Walks a tree depth first, names in byte order. Keeps one open descriptor per level and no path longer than a
/// name goes to the kernel, so depth is limited by RLIMIT_NOFILE only (raised at the start of the program).
struct Walker {
    enum Visit {
        /// Anything, a directory before what is in it.
        case object(Found)
        /// A directory after what is in it. `kind` and `entry` are as at its first visit.
        case leave(Found)
        /// Something that could not be read; the walk goes on beside it.
        case failed(path: Name, what: String, code: Int)
    }

    struct Found {
        var parent: Int32
        var name: Name
        var path: Name
        var status: Sys.Status
        /// What readdir said: nil for the root of the walk.
        var entry: Sys.Entry?
        /// `.` and `..` as readdir of this directory gives them, and whether a name came twice; only in `leave`.
        var dots: [Sys.Entry] = []
        var repeated: [Name] = []
    }

    private struct Level {
        var found: Found
        var fd: Int32
        var entries: [Sys.Entry]
        var next = 0
    }

    /// Walks what is called `name` in `dir`; the root itself has the path "".
    static func walk(_ dir: Int32, _ name: Name, _ visit: (Visit) -> Void) {
        let (result, status) = Sys.status(name, at: dir)
        guard result >= 0 else { return visit(.failed(path: "", what: "stat", code: result)) }
        let root = Found(parent: dir, name: name, path: "", status: status)
        visit(.object(root))
        var stack: [Level] = []
        if status.isDirectory { enter(root, &stack, visit) }
        while var level = stack.popLast() {
            guard level.next < level.entries.count else {
                Sys.close(level.fd)
                visit(.leave(level.found))
                continue
            }
            let entry = level.entries[level.next]
            level.next += 1
            let (fd, path) = (level.fd, level.found.path.joined(entry.name))
            stack.append(level)
            let (result, status) = Sys.status(entry.name, at: fd)
            guard result >= 0 else {
                visit(.failed(path: path, what: "stat", code: result))
                continue
            }
            let found = Found(parent: fd, name: entry.name, path: path, status: status, entry: entry)
            visit(.object(found))
            if status.isDirectory { enter(found, &stack, visit) }
        }
    }

    private static func enter(_ found: Found, _ stack: inout [Level], _ visit: (Visit) -> Void) {
        let fd = openQuietly(found.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK, at: found.parent)
        guard fd >= 0 else { return visit(.failed(path: found.path, what: "open", code: fd)) }
        var (result, entries) = Sys.allEntries(Int32(fd))
        if result < 0 { visit(.failed(path: found.path, what: "readdir", code: result)) }
        var found = found
        found.dots = entries.filter(\.isDot)
        entries.removeAll(where: \.isDot)
        entries.sort { $0.name < $1.name }
        found.repeated = zip(entries, entries.dropFirst()).filter { $0.name == $1.name }.map(\.0.name)
        stack.append(Level(found: found, fd: Int32(fd), entries: entries))
    }

    /// Without changing the access time where we are allowed to ask for that (the owner and root are).
    static func openQuietly(_ name: Name, _ flags: Int32, at dir: Int32) -> Int {
        let fd = Sys.open(name, flags | O_NOATIME, at: dir)
        return fd == -Int(EPERM) ? Sys.open(name, flags, at: dir) : fd
    }
}

extension Sys.Entry {
    var isDot: Bool { name == "." || name == ".." }
}

/// rm -rf of `name` in `dir`: answers how many objects went, or the first error. Goes on after an error.
@discardableResult
func removeTree(_ name: Name, at dir: Int32 = AT_FDCWD, freeing: Bool = false) -> Int {
    var removed = 0
    var failure = 0
    func note(_ result: Int) {
        if result >= 0 { removed += 1 } else if failure == 0 { failure = result }
    }
    Walker.walk(dir, name) { visit in
        switch visit {
        case .object(let found) where found.status.isDirectory:
            // The cases of `parity` leave immutable objects behind when they are cut short.
            if freeing { clearFlags(found) }
        case .object(let found):
            if freeing, found.status.isRegular { clearFlags(found) }
            note(Sys.unlink(found.name, at: found.parent))
        case .leave(let found):
            note(Sys.rmdir(found.name, at: found.parent))
        case .failed(_, _, let code):
            if failure == 0 { failure = code }
        }
    }
    return failure != 0 ? failure : removed
}

private func clearFlags(_ found: Walker.Found) {
    let fd = Sys.open(found.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, at: found.parent)
    guard fd >= 0 else { return }
    let (result, flags) = Sys.getflags(Int32(fd))
    if result >= 0, flags & (FS_IMMUTABLE_FL | FS_APPEND_FL) != 0 {
        _ = Sys.setflags(Int32(fd), flags & ~(FS_IMMUTABLE_FL | FS_APPEND_FL))
    }
    Sys.close(Int32(fd))
}
