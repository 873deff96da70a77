import Glibc

/// Compares the whole of the two trees, and the mount with what the model knows of its objects.
struct TreeCheck {
    let window: TimeWindow
    /// Whether directories' mtime is compared too, with the same rule as files'.
    let directoryTimes: Bool
    /// Whether d_ino must be st_ino; not when the mount is the kernel's overlayfs itself (Known.impure).
    let directoryNumbers: Bool
    /// See `Side.sameButNewerTime`.
    let newerTimes: Bool
    /// The mount was made in a user namespace: symlinks, devices, FIFOs and sockets have other numbers after a remount,
    /// and set-id bits are not compared (`Side.comparesSetIDs`).
    let isInNamespace: Bool

    private struct Seen {
        var text: String
        var identity: Model.Identity
        var isDirectory: Bool
        var keepsNumber: Bool
        /// Refused to say what it is, as redirects are that must not be followed: on both sides, and no object of the
        /// model.
        var isRefused = false
    }

    /// The differences, one line each.
    func differences(reference: Int32, mount: Int32, _ model: Model) -> [String] {
        var found: [String] = []
        let ours = collect(reference, "reference", checkNumbers: false, &found)
        let theirs = collect(mount, "mount", checkNumbers: true, &found)
        for (path, seen) in ours.sorted(by: { $0.key < $1.key }) {
            guard let other = theirs[path] else {
                found.append("tree \(path): reference \(seen.text), mount missing")
                continue
            }
            if other.text != seen.text, !(newerTimes && Side.sameButNewerTime(seen.text, other.text)) {
                found.append("tree \(path): reference \(seen.text), mount \(other.text)")
            }
        }
        for (path, seen) in theirs.sorted(by: { $0.key < $1.key }) where ours[path] == nil {
            found.append("tree \(path): reference missing, mount \(seen.text)")
        }
        compareLinks(ours, theirs, &found)
        compareIdentities(theirs, model, &found)
        return found
    }

    private func collect(_ root: Int32, _ side: String, checkNumbers: Bool, _ found: inout [String]) -> [Name: Seen] {
        var all: [Name: Seen] = [:]
        var lines: [String] = []
        let device = Sys.status(fd: root).1.dev
        Walker.walk(root, ".") { visit in
            switch visit {
            case .object(let object):
                let facts = Facts(object)
                all[facts.path] = Seen(
                    text: text(facts), identity: Model.Identity(facts.status, root: device),
                    isDirectory: facts.status.isDirectory,
                    keepsNumber: !isInNamespace || facts.status.isDirectory || facts.status.isRegular)
                guard checkNumbers, let entry = object.entry else { return }
                if directoryNumbers, entry.ino != facts.status.ino {
                    lines.append("tree \(facts.path): \(side): d_ino \(entry.ino) but st_ino \(facts.status.ino)")
                }
                if entry.kind != facts.status.directoryKind {
                    lines.append("tree \(facts.path): \(side): d_type \(entry.kind) but \(kindName(facts.status.mode))")
                }
            case .leave(let object):
                for name in object.repeated { lines.append("tree \(object.path.joined(name)): \(side): listed twice") }
            case .failed(let path, "stat", let code) where code == -Int(EPERM):
                all[path] = Seen(
                    text: show(code), identity: Model.Identity(Sys.Status(), root: device), isDirectory: true,
                    keepsNumber: false,
                    isRefused: true)
            case .failed(let path, let what, let code):
                lines.append("tree \(path): \(side): \(what) \(show(code))")
            }
        }
        found += lines
        return all
    }

    private func text(_ facts: Facts) -> String {
        let status = facts.status
        let permissions = !isInNamespace || status.isDirectory ? status.permissions : status.permissions & ~0o6000
        var text = "\(kindName(status.mode)) \(octal(permissions)) \(status.uid):\(status.gid)"
        if status.isDevice { text += " rdev \(status.deviceText)" }
        if !status.isDirectory { text += " size \(status.size) nlink \(status.nlink)" }
        if !status.isDirectory || directoryTimes { text += " mtime \(window.text(status.mtime))" }
        text += " xattrs \(facts.attributeText) \(facts.contentText)"
        return text + facts.failures.map { " !" + $0 }.joined()
    }

    /// Names that are one object in one tree are one object in the other.
    private func compareLinks(_ ours: [Name: Seen], _ theirs: [Name: Seen], _ found: inout [String]) {
        var pairs: [Model.Identity: (Model.Identity, Name)] = [:]
        var back: [Model.Identity: (Model.Identity, Name)] = [:]
        for (path, seen) in ours.sorted(by: { $0.key < $1.key }) where !seen.isDirectory {
            guard let other = theirs[path] else { continue }
            if let (identity, first) = pairs[seen.identity], identity != other.identity {
                found.append("tree \(path): the same object as \(first) in the reference, another in the mount")
            }
            if let (identity, first) = back[other.identity], identity != seen.identity {
                found.append("tree \(path): the same object as \(first) in the mount, another in the reference")
            }
            pairs[seen.identity] = (other.identity, path)
            back[other.identity] = (seen.identity, path)
        }
    }

    /// An object's number does not change while it lives, and no two objects share one.
    private func compareIdentities(_ seen: [Name: Seen], _ model: Model, _ found: inout [String]) {
        var owners: [Model.Identity: Model.Node] = [:]
        for (path, object) in seen.sorted(by: { $0.key < $1.key }) where !object.isRefused {
            guard let node = model.node(path) else {
                found.append("tree \(path): both trees have it, the model has not (a fault of this program)")
                continue
            }
            if let identity = node.identity, identity != object.identity, object.keepsNumber {
                found.append(
                    "tree \(path): st_ino of the mount changed from \(identity.ino) (dev \(identity.dev))"
                        + " to \(object.identity.ino) (dev \(object.identity.dev))")
            }
            node.identity = object.identity
            if let other = owners[object.identity], other !== node {
                found.append("tree \(path): shares st_ino \(object.identity.ino) with another object")
            }
            owners[object.identity] = node
        }
    }
}
