import Foundation
import LinuxSys
import Testing

@testable import LayerStore

/// Archives of tar(1) in each of its forms, through the recipe and back: byte for byte. A seed is printed;
/// UNIONFSD_SEED replays it.
@Suite struct TarRecipeTests {
    private struct Place {
        let path: FileName
        let fd: FD
        init() throws {
            let path = "/var/tmp/unionfsd-recipe-\(UUID().uuidString)"
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
            self.path = FileName(path)
            fd = try FD.currentDirectory.open(self.path, 0o200000).release()
        }
        func remove() {
            fd.close()
            try? FileManager.default.removeItem(atPath: path.description)
        }
    }

    private func roundTrip(_ archive: FileName, isExact: Bool = true) throws {
        let place = try Place()
        defer { place.remove() }
        try NameRef("tree").make(in: place.fd)
        let tree = try place.fd.openDirectory(NameRef("tree"))
        let recipeFile = try place.fd.open(FileName("recipe"), 0o302, mode: 0o600)
        let input = try FD.currentDirectory.open(archive, 0)
        let decompressor = try ArchiveDecompressor(input.fd, limit: .max)
        let writer = try TarRecipeWriter(recipeFile.fd)
        try LayerUnpacker(root: tree.fd, recipe: writer, limits: .init(), for: .copy(withOwners: true)).unpack(
            try ArchiveTarReader(decompressor, recipe: writer))
        #expect(try writer.finish() == isExact)
        guard isExact else { return }
        let output = try place.fd.open(FileName("again.tar"), 0o302, mode: 0o600)
        let compressor = try ArchiveCompressor(output.fd, .none)
        try TarRecipeReader(recipeFile.fd, tree: tree.fd).write(to: compressor)
        try compressor.finish()
        #expect(compressor.digest.value == decompressor.digest.value)
        let original = try Data(contentsOf: URL(fileURLWithPath: archive.description))
        let again = try Data(contentsOf: URL(fileURLWithPath: "\(place.path)/again.tar"))
        #expect(original == again)
    }

    @Test(arguments: ["gnu", "ustar", "pax", "v7"]) func forms(form: String) throws {
        let seed =
            ProcessInfo.processInfo.environment["UNIONFSD_SEED"].flatMap { UInt64($0) }
            ?? UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var state = seed
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        let place = try Place()
        defer { place.remove() }
        let content = "\(place.path)/content"
        try FileManager.default.createDirectory(atPath: content, withIntermediateDirectories: false)
        for i in 0..<60 {
            // Names beyond ustar's 100 bytes for those that know how to say them.
            let name =
                "f\(i)" + String(repeating: "x", count: form == "gnu" || form == "pax" ? random(200) : random(40))
            let bytes = (0..<[0, 1, 511, 512, 513, 70_000, random(3000)][random(7)]).map { _ in UInt8(random(256)) }
            try Data(bytes).write(to: URL(fileURLWithPath: "\(content)/\(name)"))
            if random(6) == 0 {
                try FileManager.default.createSymbolicLink(atPath: "\(content)/l\(i)", withDestinationPath: name)
            }
            if random(6) == 0 {
                try FileManager.default.linkItem(atPath: "\(content)/\(name)", toPath: "\(content)/h\(i)")
            }
            if random(8) == 0 {
                try FileManager.default.createDirectory(atPath: "\(content)/d\(i)", withIntermediateDirectories: false)
            }
        }
        let archive = FileName("\(place.path)/a.tar")
        #expect(
            try LinuxSys.Process.run(
                "/bin/tar", ["tar", FileName("--format=\(form)"), "-C", FileName(content), "-cf", archive, "."])
                == .code(0))
        try roundTrip(archive)
    }

    @Test(arguments: ["0.0", "0.1", "1.0"]) func sparse(version: String) throws {
        let place = try Place()
        defer { place.remove() }
        let script = """
            mkdir content && cd content && truncate -s 3M hole && truncate -s 9M few && printf x | dd of=few bs=1 \
            seek=5000000 conv=notrunc status=none && printf y >>few && echo plain >plain && ln few few2
            truncate -s 20M many && i=0; while [ $i -lt 40 ]; do printf z | dd of=many bs=1 seek=$((i * 500000)) \
            conv=notrunc status=none; i=$((i + 1)); done
            exec tar --sparse --format=posix --sparse-version=\(version) -cf ../a.tar .
            """
        #expect(
            try LinuxSys.Process.run("/bin/sh", ["sh", "-euc", FileName("cd '\(place.path)' && \(script)")]) == .code(0)
        )
        try roundTrip(FileName("\(place.path)/a.tar"))
    }

    @Test(arguments: [
        ("1\n0\n512\n", 512, true), ("2\n0\n100\n4096\n412\n", 512, true), ("0\n", 0, true),
        ("2\n0\n100\n50\n412\n", 512, false), ("1\n0\n511\n", 512, false), ("1\n0\n513\n", 512, false),
        ("2\n9223372036854775000\n492\n9223372036854775790\n20\n", 512, false),
    ])
    func maps(text: String, length: Int64, isRight: Bool) {
        var map = SparseMap()
        map.add(Array(text.utf8) + [UInt8](repeating: 0, count: 512 - text.utf8.count))
        #expect(map.isWhole && !map.isBad && (map.pieces(length) != nil) == isRight)
    }
    @Test(arguments: [
        "-1\n", "x", "\n", "99999999999999999999\n", "2000000\n", "1\n0\n9223372036854775808\n", "1\n0 \n",
    ])
    func whatIsNoMap(text: String) {
        var map = SparseMap()
        map.add(Array(text.utf8))
        #expect(map.isBad && !map.isWhole)
    }

    @Test func whatCannotBeMadeAgain() throws {
        let place = try Place()
        defer { place.remove() }
        // Twice the same name: the first contents are gone.
        try Data("one".utf8).write(to: URL(fileURLWithPath: "\(place.path)/x"))
        let archive = FileName("\(place.path)/a.tar")
        #expect(
            try LinuxSys.Process.run(
                "/bin/tar", ["tar", "-C", place.path, "-cf", archive, "x", "x", "--hard-dereference"]) == .code(0))
        try roundTrip(archive, isExact: false)
    }

    @Test func damage() throws {
        let place = try Place()
        defer { place.remove() }
        // Neither a recipe nor zstd.
        try Data("Lxx".utf8).write(to: URL(fileURLWithPath: "\(place.path)/recipe"))
        let recipe = try place.fd.open(FileName("recipe"), 0)
        let output = try place.fd.open(FileName("out"), 0o302, mode: 0o600)
        let compressor = try ArchiveCompressor(output.fd, .none)
        #expect(throws: StoreError.self) { try TarRecipeReader(recipe.fd, tree: place.fd).write(to: compressor) }
    }
}

extension NameRef {
    fileprivate func make(in directory: FD) throws(Errno) { try directory.makeDirectory(self, mode: 0o755) }
}
