import CShims
import Glibc

/// `lower/odd`: a tree of everything, made from a seed, and the case that does something to each object of it.
enum OddObjects {
    /// Depth and breadth that give some hundred objects: enough for every kind with every mode, few enough for a copy.
    static func make(seed: UInt64) {
        var random = Random(seed: seed)
        var files: [Name] = []
        fill("", depth: 0, &random, &files)
        let maker = Maker()
        for index in 0..<8 where !files.isEmpty { maker.link(random.pick(files), "hard-link-\(index)") }
        for index in 0..<3 where !files.isEmpty { maker.symlink(random.pick(files), "to-file-\(index)") }
    }

    private static let names: [Name] = [
        "plain", "with blank", "new\nline", Name([0xff, 0xfe]), ".hidden", "...", "-dash", "\u{fc}mlaut", "tab\t",
        "back\\slash", "*", "UPPER",
        .repeating(0x6c, 255), "a,b:c=d",
    ]
    private static let sizes = [0, 1, 11, 511, 512, 4095, 4096, 4097, 65535, 65536, 65537, 131_072, 300_001, 1 << 20]
    private static let modes: [UInt32] = [0o644, 0o600, 0o755, 0o4755, 0o2755, 0o6711, 0o1644, 0o444, 0, 0o777]

    private static func fill(_ place: Name, depth: Int, _ random: inout Random, _ files: inout [Name]) {
        let maker = Maker()
        for name in names where random.chance(80) {
            let path = place.joined(name)
            let (uid, gid) = (random.pick([0, 0, 1000, 65534]), random.pick([0, 0, 1000, 4242]))
            let mode = random.pick(modes)
            switch random.below(20) {
            case 0..<5 where depth < 3:
                // Modes that root can live with, but that a user would not get through.
                maker.dir(path, mode: mode | (random.chance(80) ? 0o700 : 0), uid: uid, gid: gid)
                fill(path, depth: depth + 1, &random, &files)
                if random.chance(30) { maker.xattr(path, "user.of-directory", random.bytes(10)) }
                if random.chance(20) {
                    maker.xattr(
                        path, ACL.default, ACL.bytes([.owner(7), .user(1000, 6), .group(5), .mask(7), .other(4)]))
                }
            case 5: maker.symlink(random.pick(names), path)
            case 6: maker.symlink(.repeating(0x74, random.pick([1, 59, 60, 255, 4095])), path)
            case 7: maker.node(path, kindFifo | mode, uid: uid, gid: gid)
            case 8: maker.node(path, kindSocket | mode, uid: uid, gid: gid)
            case 9: maker.node(path, kindCharacter | mode, random.pick([0x103, 0x105, 0x1ff]), uid: uid, gid: gid)
            case 10: maker.node(path, kindBlock | mode, random.pick([0x3c00, 0]), uid: uid, gid: gid)
            case 11:
                maker.sparse(
                    path, size: random.pick([4096, 1 << 20, 70 << 20]), data: [(random.below(4000), "island")])
            default:
                maker.file(path, bytes: random.bytes(random.pick(sizes)), mode: mode, uid: uid, gid: gid)
                files.append(path)
                if random.chance(30) { maker.xattr(path, "user.first", random.bytes(random.pick([0, 1, 100, 1000]))) }
                if random.chance(20) { maker.xattr(path, "trusted.second", random.bytes(20)) }
                if random.chance(10) { maker.xattr(path, "security.capability", capabilityNetRaw) }
                if random.chance(10) {
                    maker.xattr(
                        path, ACL.access, ACL.bytes([.owner(6), .user(1000, 6), .group(4), .mask(6), .other(0)]))
                }
            }
        }
    }

    /// Something to every object, something else in each round; then half of it is removed.
    static let test = Case("odd") { scene in
        for round in 0..<4 {
            var objects: [Name] = []
            Walker.walk(AT_FDCWD, ".") { visit in
                if case .object(let found) = visit, !found.path.isEmpty { objects.append(found.path) }
            }
            scene.result("objects", objects.count)
            // Children before their directories, so that a rename does not take the rest of the list with it.
            for (index, path) in objects.reversed().enumerated() { act(scene, path, index &* 7 &+ round &* 3, round) }
        }
        var count = 0
        for name in names where Sys.status(name).0 >= 0 {
            count += 1
            if count % 2 == 0 { scene.result("rm -rf \(name.short)", removeTree(name)) }
        }
    }

    private static func act(_ scene: Scene, _ path: Name, _ choice: Int, _ round: Int) {
        let (parent, _) = path.split
        switch choice % 16 {
        case 0: scene.chmod(path, 0o640)
        case 1: scene.chown(path, 12, 34)
        case 2: scene.utimens(path, Moment(50, Int64(round)), Moment(60, Int64(round)))
        case 3: scene.setxattr(path, "trusted.round", "\(round)")
        case 4:
            scene.opened(path, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOFOLLOW) { fd in
                if Sys.status(fd: fd).1.isRegular { scene.write(fd, "appended") }
            }
        case 5: scene.truncate(path, 100)
        case 6: scene.link(path, parent.joined("linked-\(choice)-\(round)"))
        case 7: scene.rename(path, parent.joined("renamed-\(choice)-\(round)"))
        case 8: scene.rename(path, "moved-\(choice)-\(round)")
        case 9: scene.listxattr(path)
        case 10: scene.unlink(path)
        case 11: scene.rmdir(path)
        case 12: scene.mkdir(path.joined("made-\(choice)"))
        case 13: scene.removexattr(path, "user.first")
        case 14: scene.readlink(path)
        default: scene.times(path)
        }
    }
}
