import Glibc

/// `bench tree DIR`: ten layers of a root filesystem's shape, the same each time: some 15,000 names, files of 0 to 60
/// KiB, symlinks, and in each upper layer new files, changed ones, whiteouts and opaque directories.
enum BenchTree {
    static let layers = 10
    private static let packages = 130, files = 85

    /// 0 is the lowest.
    static func make(_ root: Name) -> Int32 {
        var random = Random(seed: 4711)
        for layer in 0..<layers {
            let base = root.joined("\(layer)")
            guard Sys.mkdir(base, 0o755) >= 0, grow(base, layer, &random) else {
                return complain("bench tree: \(base) cannot be made")
            }
        }
        return 0
    }

    private static func grow(_ base: Name, _ layer: Int, _ random: inout Random) -> Bool {
        for place: Name in ["usr", "usr/share", "usr/lib", "usr/bin", "etc"]
        where Sys.mkdir(base.joined(place), 0o755) < 0 { return false }
        for package in 0..<packages where layer == 0 || random.chance(20) {
            let share = base.joined("usr/share/package\(package)")
            let deep = share.joined("doc")
            guard Sys.mkdir(share, 0o755) >= 0, Sys.mkdir(deep, 0o755) >= 0 else { return false }
            if layer == 3, package == 7 { _ = Sys.setxattr(deep, "trusted.overlay.opaque", Array("y".utf8)) }
            for file in 0..<(layer == 0 ? files : random.within(4...30)) {
                let name: Name = layer == 0 || random.chance(50) ? "file\(file).conf" : "new\(layer)-\(file).h"
                guard put(file % 3 == 0 ? deep.joined(name) : share.joined(name), &random) else { return false }
            }
            if layer > 0 { _ = Sys.mknod(share.joined("file\(random.below(files)).gone"), 0o020000) }
            _ = Sys.symlink("../package0/file0.conf", share.joined("link\(layer)"))
        }
        return true
    }

    private static func put(_ path: Name, _ random: inout Random) -> Bool {
        let fd = Sys.open(path, O_WRONLY | O_CREAT | O_TRUNC, random.chance(20) ? 0o755 : 0o644)
        guard fd >= 0 else { return false }
        defer { Sys.close(Int32(fd)) }
        let length = random.chance(5) ? 60_000 : random.below(6_000)
        return Sys.write(Int32(fd), random.bytes(length)) == length
    }
}
