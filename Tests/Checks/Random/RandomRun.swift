import CShims
import Glibc

/// `random`: the same operations on a reference and on the mount, results compared one by one, trees now and then.
struct RandomRun {
    private var reference: Side
    private var mount: Side
    private let model: Model
    private let check: TreeCheck
    private var choice: Choice
    private var slots = [Choice.Slot?](repeating: nil, count: Side.slotCount)
    /// What is printed before a difference.
    private var recent: [String] = []
    private let writesBack: Bool
    private var passed = 0
    /// Both names are one tree, and only to be changed: this is how layers are made by the kernel's overlayfs.
    private var alone = false

    static func run(_ arguments: [Name]) -> Int32 {
        var parser = Arguments(arguments)
        guard let referencePath = parser.option("--reference"), let mountPath = parser.option("--mount"),
            let seed = parser.number("--seed"), let count = parser.number("--ops"),
            let every = parser.number("--check-every", default: 200), every > 0
        else { return Arguments.usage() }
        let trace = parser.flag("--trace")
        let dropCaches = parser.flag("--drop-caches")
        let directoryTimes = parser.flag("--dir-times")
        let known = parser.option("--known")
        let remount = parser.option("--remount")
        guard let remountEvery = parser.number("--remount-every", default: 1000), remountEvery > 0 else {
            return Arguments.usage()
        }
        let knowns = known.map { Set($0.description.split(separator: ",")) } ?? []
        guard knowns.isSubset(of: ["overlay", "plain", "metacopy", "writeback", "namespace"]) else {
            return complain("random: no such set of known differences")
        }
        guard parser.rest(0) != nil else { return Arguments.usage() }
        let roots = [referencePath, mountPath].map { Sys.open($0, O_RDONLY | O_DIRECTORY) }
        guard roots[0] >= 0, roots[1] >= 0 else { return complain("random: cannot open the trees") }
        // Groups would let the unprivileged user do more than uid and gid say.
        _ = Sys.setNoGroups()

        let window = TimeWindow(since: cs_realtime_s())
        var run = RandomRun(
            reference: Side(root: Int32(roots[0]), window: window, comparesSetIDs: !knowns.contains("namespace")),
            mount: Side(root: Int32(roots[1]), window: window, comparesSetIDs: !knowns.contains("namespace")),
            model: Model(of: Int32(roots[1])),
            check: TreeCheck(
                window: window, directoryTimes: directoryTimes,
                directoryNumbers: knowns.isDisjoint(with: ["overlay", "plain"]),
                newerTimes: !knowns.isDisjoint(with: ["metacopy", "writeback"]),
                isInNamespace: knowns.contains("namespace")),
            writesBack: knowns.contains("writeback"),
            choice: Choice(random: Random(seed: seed), isPlain: knowns.contains("plain")))
        run.alone = referencePath == mountPath
        printLine("seed \(seed)")
        guard run.compareTrees(0, dropCaches: false) else { return run.failed(seed, 0) }
        for number in 1...Int(max(1, count)) {
            guard run.step(number, trace: trace) else { return run.failed(seed, number) }
            if number % Int(every) == 0 || number == count {
                guard run.compareTrees(number, dropCaches: dropCaches) else { return run.failed(seed, number) }
            }
            if let remount, number % Int(remountEvery) == 0, number != count {
                guard run.remount(remount, at: mountPath, number) else { return run.failed(seed, number) }
            }
        }
        printLine("\(run.passed) passed, 0 failed")
        return 0
    }

    /// The mount goes and comes again, or another program mounts the same upper: every object must be what it was, its
    /// number too. The script does it; it is run once the tree has been compared and nothing of it is open any more.
    private mutating func remount(_ script: Name, at path: Name, _ number: Int) -> Bool {
        guard compareTrees(number, dropCaches: false) else { return false }
        // The reference keeps its own: only the model must know that the slots are empty on both sides.
        slots = slots.map { _ in nil }
        reference.closeSlots()
        mount.leave()
        let status = Sys.run(script)
        let root = Sys.open(path, O_RDONLY | O_DIRECTORY)
        guard status == 0, root >= 0 else {
            printLine("DIFF remount after operation \(number): \(status == 0 ? show(root) : "status \(status)")")
            return false
        }
        mount.enter(Int32(root))
        return compareTrees(number, dropCaches: false)
    }

    private init(reference: Side, mount: Side, model: Model, check: TreeCheck, writesBack: Bool, choice: Choice) {
        (self.reference, self.mount, self.model, self.check, self.writesBack, self.choice) = (
            reference, mount, model, check, writesBack, choice
        )
    }

    private func failed(_ seed: UInt64, _ number: Int) -> Int32 {
        printLine("seed \(seed), operation \(number); the last operations:")
        for line in recent { printLine("  " + line) }
        printLine("\(passed) passed, 1 failed")
        return 1
    }

    private mutating func step(_ number: Int, trace: Bool) -> Bool {
        let (operation, actor) = choice.next(model, slots)
        if writesBack, operation.differsWithWriteback { return true }
        if choice.isPlain, operation.differsFromPlain { return true }
        // Without CAP_FSETID of the machine the daemon's write of the page takes the bits away (docs/semantics.md).
        if check.isInNamespace, case .mapWrite(let path, _, _) = operation,
            Sys.status(path, at: reference.root).1.mode & 0o6000 != 0
        {
            return true
        }
        let first = reference.perform(operation, as: actor)
        let second = alone ? first : mount.perform(operation, as: actor)
        let line = "\(number) \(actor)\(operation)"
        remember(line + " = \(first)" + (first == second ? "" : ", mount \(second)"))
        if trace { printLine(recent.last ?? "") }
        guard
            first == second
                || check.newerTimes && first.code == second.code && Side.sameButNewerTime(first.text, second.text)
        else {
            printLine("DIFF \(line): reference \(first), mount \(second)")
            return false
        }
        passed += 1
        if first.code < 0, case .removeTree(let path) = operation { prune(path) }
        return first.code < 0 || note(operation, first)
    }

    private mutating func remember(_ line: String) {
        recent.append(line)
        if recent.count > 10 { recent.removeFirst() }
    }

    /// Brings the model up to date with an operation that succeeded. False: a new object's number is wrong.
    private mutating func note(_ operation: Operation, _ outcome: Side.Outcome) -> Bool {
        switch operation {
        case .create(let path, _, _, _, let slot):
            if model.node(path) == nil { model.add(path, model.make(.file)) }
            hold(slot, path, writable: true)
            return identify(path)
        case .open(let path, let flags, let slot): hold(slot, path, writable: flags & O_ACCMODE != O_RDONLY)
        case .close(let slot): slots[slot] = nil
        case .mkdir(let path, _): return added(path, .directory)
        case .symlink(_, let path): return added(path, .symlink)
        case .mknod(let path, let mode, _): return added(path, mode & modeKindMask == kindRegular ? .file : .other)
        case .copyFile(_, let path) where outcome.text == "copied": return added(path, .file)
        case .temporary(_, _, _, let published, let slot):
            let node = model.make(.file)
            // The text has the result of linkat; without a name it has never had one.
            let linked = published != nil && outcome.text == "0"
            if let published, linked { model.add(published, node) }
            if let slot { slots[slot] = Choice.Slot(node: node, path: published ?? "", writable: true) }
            if let published, linked { return identify(published) }
        case .link(let old, let new): model.link(old, new)
        case .rename(let old, let new, let flags): model.rename(old, new, exchange: flags & RENAME_EXCHANGE != 0)
        case .unlink(let path), .rmdir(let path), .removeTree(let path): model.remove(path)
        case .slotStat(let slot, _):
            if alone { return true }
            let status = Sys.status(fd: mount.descriptor(slot)).1
            if let node = slots[slot]?.node { return identify(node, status, "slot \(slot)") }
        default: break
        }
        return true
    }

    /// A tree that could not be removed as a whole (something in it was append-only): what went is no name any more.
    private func prune(_ path: Name) {
        guard let node = model.node(path) else { return }
        for child in node.children.keys.sorted() {
            let name = path.joined(child)
            if Sys.status(name, at: mount.root).0 == -Int(ENOENT) { model.remove(name) } else { prune(name) }
        }
    }

    private mutating func hold(_ slot: Int?, _ path: Name, writable: Bool) {
        guard let slot, let node = model.node(path) else { return }
        slots[slot] = Choice.Slot(node: node, path: path, writable: writable)
    }

    private func added(_ path: Name, _ kind: Model.Node.Kind) -> Bool {
        model.add(path, model.make(kind))
        return identify(path)
    }

    private func identify(_ path: Name) -> Bool {
        guard let node = model.node(path) else { return true }
        return identify(node, Sys.status(path, at: mount.root).1, "\(path)")
    }

    private func identify(_ node: Model.Node, _ status: Sys.Status, _ what: String) -> Bool {
        if alone || check.isInNamespace && !status.isDirectory && !status.isRegular { return true }
        let now = Model.Identity(status, root: Sys.status(fd: mount.root).1.dev)
        defer { node.identity = now }
        guard let before = node.identity, before != now else { return true }
        printLine("DIFF \(what): st_ino of the mount changed from \(before.ino) to \(now.ino)")
        return false
    }

    private mutating func compareTrees(_ number: Int, dropCaches: Bool) -> Bool {
        if dropCaches { Self.dropCaches() }
        let differences = check.differences(reference: reference.root, mount: mount.root, model)
        if differences.isEmpty {
            passed += 1
            return true
        }
        for line in differences.prefix(20) { printLine("DIFF after operation \(number): \(line)") }
        if differences.count > 20 { printLine("… and \(differences.count - 20) more") }
        return false
    }

    /// Dentries and inodes go, so that the mount has to look everything up again: and must find the same objects.
    private static func dropCaches() {
        let fd = Sys.open("/proc/sys/vm/drop_caches", O_WRONLY)
        guard fd >= 0 else { return }
        _ = Sys.write(Int32(fd), Array("2\n".utf8))
        Sys.close(Int32(fd))
    }
}
