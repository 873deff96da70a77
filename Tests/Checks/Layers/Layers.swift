import Glibc

/// `layers`: K lower layers l1 (the uppermost) to lK, in overlayfs' format. They collide, since all draw from the
/// same few names. What they contain is valid: a whiteout lies only in a directory that merges with one below, and an
/// opaque directory contains none, as everything that writes layers takes care of.
struct Layers {
    private var random: Random
    /// What the layers made so far show together: path to whether it is a directory. They are made from the bottom
    /// up, since what a layer may hide depends on those below.
    private var view: [Name: Bool] = [:]
    /// Files of the layer being made, to give further names to.
    private var files: [Name] = []

    static let names: [Name] = ["a", "b", "c", "d", "e", "f", "sub", "file", Name([0xff, 0x0a]), "x y"]

    static func run(_ arguments: [Name]) -> Int32 {
        var parser = Arguments(arguments)
        guard let count = parser.number("--count"), let seed = parser.number("--seed"), count > 0, count < 1000,
            let words = parser.rest(1)
        else { return Arguments.usage() }
        let made = Sys.mkdir(words[0], 0o755)
        guard made >= 0 || made == -Int(EEXIST) else { return complain("layers: mkdir \(words[0]): \(show(made))") }
        guard Sys.chdir(words[0]) >= 0 else { return complain("layers: cannot enter \(words[0])") }
        var layers = Layers(random: Random(seed: seed))
        for number in stride(from: Int(count), through: 1, by: -1) { layers.make("l\(number)") }
        printLine("seed \(seed)")
        // A failure has ended the program before (Maker.must).
        printLine("\(count) passed, 0 failed")
        return 0
    }

    private init(random: Random) { self.random = random }

    private mutating func make(_ layer: Name) {
        let make = Maker()
        make.dir(layer)
        files = []
        fill(layer, "", depth: 0, merged: true)
        for index in 0..<random.below(4) where !files.isEmpty {
            // In the layer's root, which is merged in any case: the name may hide something below.
            let name: Name = "hard\(index)"
            make.link(layer.joined(random.pick(files)), layer.joined(name))
            reveal(name, directory: false)
        }
        setTimes(layer)
    }

    /// `merged`: the directory at this path shows what the layers below have there, so a whiteout has something to do.
    private mutating func fill(_ layer: Name, _ place: Name, depth: Int, merged: Bool) {
        let below = merged ? view : [:]
        for name in Self.names {
            let path = place.joined(name)
            let real = layer.joined(path)
            switch random.below(100) {
            case 0..<45: continue
            case 45..<65 where depth < 3:
                Maker().dir(real, mode: random.pick(Self.directoryModes), uid: owner(), gid: owner())
                decorate(real)
                let isBelow = below[path] != nil
                let opaque = isBelow && random.chance(25)
                if opaque {
                    Maker().xattr(
                        real, isInInitialUserNamespace ? "trusted.overlay.opaque" : "user.overlay.opaque", "y")
                }
                // Over a file, or over nothing, a directory starts afresh.
                let goesOn = below[path] == true && !opaque
                if !goesOn { hide(path) }
                reveal(path, directory: true)
                fill(layer, path, depth: depth + 1, merged: goesOn)
            case 65..<75:
                guard below[path] != nil else { continue }
                Maker().node(real, kindCharacter, 0)
                hide(path)
            default:
                leaf(real, path)
                hide(path)
                reveal(path, directory: false)
            }
        }
    }

    private static let directoryModes: [UInt32] = [0o755, 0o755, 0o755, 0o700, 0o777, 0o1777, 0o2775, 0o711, 0o500]
    private static let fileModes: [UInt32] = [0o644, 0o644, 0o600, 0o755, 0o4755, 0o2755, 0o666, 0o444, 0]

    private mutating func leaf(_ real: Name, _ path: Name) {
        let make = Maker()
        switch random.below(12) {
        case 0: make.symlink(random.pick(Self.names), real)
        case 1: make.symlink(("no/such" as Name).joined(random.pick(Self.names)), real)
        case 2: make.node(real, kindFifo | 0o644, uid: owner(), gid: owner())
        case 3:
            make.node(
                real, (isInInitialUserNamespace ? kindCharacter : kindFifo) | 0o666,
                isInInitialUserNamespace ? 0x103 : 0)
        case 4: make.node(real, kindSocket | 0o755)
        case 5:
            make.sparse(real, size: 1 << 18, data: [(100_000, "island")])
            files.append(path)
        default:
            let size = random.pick([0, 1, 10, 4095, 4096, 4097, 10_000, 70_000])
            make.file(real, bytes: random.bytes(size), mode: random.pick(Self.fileModes), uid: owner(), gid: owner())
            decorate(real)
            files.append(path)
        }
    }

    private mutating func owner() -> Int { random.pick([0, 0, 0, 1000, 1001, 65534]) }

    private mutating func decorate(_ real: Name) {
        if random.chance(20) { Maker().xattr(real, random.pick(["user.a", "user.b"]), random.bytes(random.below(40))) }
        if random.chance(10) { Maker().xattr(real, isInInitialUserNamespace ? "trusted.t" : "user.t", random.bytes(5)) }
        if random.chance(5) {
            Maker().xattr(real, ACL.access, ACL.bytes([.owner(6), .user(1000, 6), .group(4), .mask(6), .other(0)]))
        }
    }

    private mutating func hide(_ path: Name) {
        let prefix = path.bytes + [0x2f]
        view = view.filter { $0.key != path && !$0.key.bytes.starts(with: prefix) }
    }

    private mutating func reveal(_ path: Name, directory: Bool) { view[path] = directory }

    /// Last of all, so that nothing changes them any more: times in the past, whiteouts' too.
    private mutating func setTimes(_ layer: Name) {
        var random = random
        func set(_ found: Walker.Found) {
            let time = Moment(Int64(random.within(900_000_000...1_500_000_000)), Int64(random.below(1_000_000_000)))
            Maker().must("utimens", Sys.utimens(found.name, access: time, modify: time, at: found.parent))
        }
        Walker.walk(AT_FDCWD, layer) { visit in
            switch visit {
            case .object(let found) where !found.status.isDirectory: set(found)
            case .leave(let found): set(found)
            default: break
            }
        }
        self.random = random
    }
}
