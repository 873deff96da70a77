import Glibc

/// What a case acts through: each call does one system call and writes one line, label and result, to the transcript.
/// The lines of both sides are compared one by one, so nothing may get into a label or a value that is not the same
/// on two native directories: no inode or descriptor numbers, no present time, no order of directory entries.
final class Scene {
    let make = Maker()
    private let output: Int32
    private let window: TimeWindow
    /// Stands before the label of each line; says on what a series of calls works.
    var prefix = ""

    init(output: Int32, window: TimeWindow) {
        self.output = output
        self.window = window
    }

    func note(_ label: String, _ value: String) {
        writeAll(output, Array("\(prefix)\(label)\t\(value)\n".utf8))
    }

    @discardableResult
    func result(_ label: String, _ result: Int) -> Int {
        note(label, show(result))
        return result
    }

    /// For results whose value means nothing outside of this process.
    @discardableResult
    func ok(_ label: String, _ result: Int) -> Int {
        note(label, showOK(result))
        return result
    }

    func yes(_ label: String, _ value: Bool) { note(label, value ? "yes" : "no") }

    func with(_ prefix: String, _ body: () -> Void) {
        let before = self.prefix
        self.prefix = before + prefix + " "
        body()
        self.prefix = before
    }

    // MARK: What is there

    func describe(_ status: Sys.Status) -> String {
        var text = "\(kindName(status.mode)) \(octal(status.permissions)) \(status.uid):\(status.gid)"
        if !status.isDirectory { text += " size \(status.size) nlink \(status.nlink)" }
        if status.isDevice { text += " rdev \(status.deviceText)" }
        return text
    }

    func stat(_ name: Name, flags: Int32 = AT_SYMLINK_NOFOLLOW) {
        let (result, status) = Sys.status(name, flags: flags)
        note("stat(\(name.short)\(flags == 0 ? ", follow" : ""))", result < 0 ? show(result) : describe(status))
    }

    func fstat(_ fd: Int32, _ what: String = "fd") {
        let (result, status) = Sys.status(fd: fd)
        note("fstat(\(what))", result < 0 ? show(result) : describe(status))
    }

    /// All of a file as read(2) gives it.
    func contents(_ name: Name) {
        let fd = Sys.open(name, O_RDONLY | O_NONBLOCK)
        guard fd >= 0 else { return note("contents(\(name.short))", show(fd)) }
        contents(of: Int32(fd), name.short)
        Sys.close(Int32(fd))
    }

    func contents(of fd: Int32, _ what: String = "fd") {
        let (result, bytes) = Sys.contents(fd)
        note("contents(\(what))", result < 0 ? show(result) : showBytes(bytes))
    }

    /// The mtime as it is, where it was not made by the clock during this run. The atime only where it was just set:
    /// anybody who read the objects before may have changed it (relatime).
    func times(_ name: Name, access: Bool = false) {
        let (result, status) = Sys.status(name)
        guard result >= 0 else { return note("times(\(name.short))", show(result)) }
        note(
            "times(\(name.short))",
            (access ? "atime \(window.text(status.atime)) " : "")
                + "mtime \(window.text(status.mtime))")
    }

    /// Which times of the objects change while `body` runs. It waits for the clock before: a filesystem takes the
    /// time of the last tick, 10 ms at most.
    func timeEffects(_ label: String, of names: [Name], _ body: () -> Void) {
        let before = names.map { Sys.status($0) }
        Sys.sleep(milliseconds: 25)
        body()
        for (name, old) in zip(names, before) {
            let (result, new) = Sys.status(name)
            guard old.0 >= 0, result >= 0 else {
                note("times changed by \(label) of \(name.short)", "gone \(showOK(old.0)) \(showOK(result))")
                continue
            }
            var changed: [String] = []
            if (old.1.mtime) != (new.mtime) { changed.append("mtime") }
            if (old.1.ctime) != (new.ctime) { changed.append("ctime") }
            note(
                "times changed by \(label) of \(name.short)", changed.isEmpty ? "none" : changed.joined(separator: "+"))
        }
    }

    func sameObject(_ a: Name, _ b: Name) {
        let (first, second) = (Sys.status(a), Sys.status(b))
        yes(
            "same object \(a.short) \(b.short)",
            first.0 >= 0 && second.0 >= 0
                && first.1.ino == second.1.ino && first.1.dev == second.1.dev)
    }

    /// Whether st_ino and st_dev survive what `body` does.
    func keepsIdentity(_ name: Name, as later: Name? = nil, _ body: () -> Void) {
        let before = Sys.status(name)
        body()
        let after = Sys.status(later ?? name)
        yes(
            "\(name.short) keeps its st_ino",
            before.0 >= 0 && after.0 >= 0
                && before.1.ino == after.1.ino && before.1.dev == after.1.dev)
    }

    /// Everything below the current directory: how each case ends. Its labels start with `tree`, which the
    /// comparison knows.
    func tree() {
        prefix = ""
        Walker.walk(AT_FDCWD, ".") { visit in
            switch visit {
            case .object(let found):
                let facts = Facts(found)
                let status = facts.status
                var text = describe(status) + " mtime " + window.text(status.mtime)
                text += " xattrs \(facts.attributeText) \(facts.contentText)"
                if !facts.failures.isEmpty { text += " " + facts.failures.joined(separator: ", ") }
                if let entry = found.entry {
                    if entry.kind != status.directoryKind { text += " d_type \(entry.kind)" }
                    if entry.ino != status.ino { text += " d_ino differs from st_ino" }
                }
                note("tree \(facts.path.isEmpty ? "." : facts.path)", text)
            case .leave(let found):
                for name in found.repeated { note("tree \(found.path.joined(name)) repeated", "yes") }
            case .failed(let path, let what, let code):
                note("tree \(path)", "\(what) \(show(code))")
            }
        }
    }
}
