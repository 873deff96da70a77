import Testing

@testable import LinuxSys
@testable import UnionCore

/// What others write and we read, with bytes changed: options of a command line, overlay's attributes of a layer.
/// Nothing may trap, and nothing that is accepted may lead out. `UNIONFSD_FUZZ_SEED` and `UNIONFSD_FUZZ_ROUNDS` repeat
/// a run or make it longer; a failure prints its seed.
struct FuzzTests {
    private static func setting(_ name: FileName, _ normal: UInt64) -> UInt64 {
        Process.environment(name).flatMap { UInt64($0.description) } ?? normal
    }
    private static let seed = setting("UNIONFSD_FUZZ_SEED", 1)
    private static let rounds = Int(setting("UNIONFSD_FUZZ_ROUNDS", 20_000))

    /// One of the samples with up to a few changes: a byte changed, cut out or doubled, a piece of another sample put
    /// in, the end cut off.
    private func mutated(_ samples: [[UInt8]], _ random: inout Generator) -> [UInt8] {
        var text = samples[random.below(samples.count)]
        for _ in 0...random.below(4) {
            let at = random.below(text.count + 1)
            switch random.below(7) {
            case 0 where at < text.count: text[at] = UInt8(truncatingIfNeeded: random.next())
            case 1 where at < text.count: text.remove(at: at)
            case 2: text.insert(Array(":,=\\\"/.-0\u{0}\u{ff}".utf8)[random.below(11)], at: at)
            case 3:
                let other = samples[random.below(samples.count)]
                let from = random.below(other.count + 1)
                text.insert(contentsOf: other[from..<min(other.count, from + random.below(12))], at: at)
            case 4: text.removeLast(text.count - at)
            case 5:
                text.insert(
                    contentsOf: [UInt8](repeating: UInt8(truncatingIfNeeded: random.next()), count: random.below(300)),
                    at: at)
            default: text.insert(contentsOf: Array("99999999999999999999".utf8.prefix(random.below(21))), at: at)
            }
        }
        return text
    }

    @Test func options() {
        let samples = [
            "lowerdir=/g/l/A:/g/l/B,upperdir=/g/x/diff,workdir=/g/x/work,,volatile",
            "lowerdir=/a\\:b\\,c::/data,index=on,redirect_dir=follow,metacopy=on",
            """
            lowerdir=a,uidmapping=:0:1:1001:1001:0:1,gidmapping=:0:0:65536,squash_to_uid=0,\
            xattr_permissions=2,private
            """,
            """
            context=\"system_u:object_r:container_file_t:s0:c1,c2\",upperdir=b,workdir=c,ro,dev,suid,\
            fsync=strict,timeout=1.5,threads=4,whiteouts=oci
            """,
        ].map { Array($0.utf8) }
        var random = Generator(state: Self.seed)
        for round in 0..<Self.rounds {
            let text = mutated(samples, &random)
            for form in [CallForm.strict, .engine] {
                var options = MountOptions(form: form)
                do {
                    try options.apply(FileName(bytes: text))
                    try options.finish()
                    #expect(
                        options.uidMapping.allSatisfy { $0.count > 0 }, "seed \(Self.seed), round \(round): \(text)")
                } catch { #expect(!"\(error)".isEmpty, "seed \(Self.seed), round \(round): \(text)") }
            }
        }
    }

    @Test func values() {
        var random = Generator(state: Self.seed &+ 1)
        let redirects = ["name", "/a/b/c", "..", "/a/../b", "/.", "//", "a/b"].map { Array($0.utf8) }
        let origins: [[UInt8]] = [
            [0, 0xfb, 29, 0, 1] + [UInt8](repeating: 7, count: 24),
            [0, 0xfb, 21, 4, 0x81] + [UInt8](repeating: 0, count: 16),
        ]
        let overrides = ["0:0:0644", "1000:1000:04755:file", "0:6:0666:char-1-3", "1:2:0:block8:0", "1:2:0777:pipe"].map
        { Array($0.utf8) }
        let statuses = ["Name:\tx\nGroups:\t4 24 \nCapEff:\t000001ffffffffff\n"].map { Array($0.utf8) }
        for round in 0..<Self.rounds {
            let note = "seed \(Self.seed), round \(round)"
            if let redirect = Redirect.validated(mutated(redirects, &random)) {
                let parts = redirect.bytes.split(separator: 0x2f, omittingEmptySubsequences: false).dropFirst(
                    Redirect.isAbsolute(redirect) ? 1 : 0)
                #expect(
                    !parts.contains {
                        $0.isEmpty || $0.elementsEqual([0x2e]) || $0.elementsEqual([0x2e, 0x2e]) || $0.contains(0)
                    }, "\(note): \(redirect)")
                #expect(Redirect.isAbsolute(redirect) || parts.count == 1, "\(note): \(redirect)")
            }
            if let origin = Origin(found: mutated(origins, &random)) {
                #expect(Origin(indexName: origin.indexName) == origin, "\(note)")
            }
            if let override = StatOverride(mutated(overrides, &random)) {
                #expect(override.permissions <= 0o7777, "\(note)")
                // What a regular file has of it is what it says again.
                var file = FileStatus()
                file.mode = 0o100644
                let seen = override.applied(to: file)
                #expect(
                    StatOverride(StatOverride(seen).text)?.applied(to: file).mode == seen.mode, "\(note): \(override)")
                #expect(!Whiteout.isDevice(seen) && !seen.isDirectory && !seen.isSymlink, "\(note): \(override)")
            }
            _ = CallerStatus(text: mutated(statuses, &random))
        }
    }

    /// Trees with any attributes of overlay on any object: whatever is found, it is in a layer, and every walk ends.
    @Test func attributesOfLayers() throws {
        var random = Generator(state: Self.seed &+ 2)
        let values =
            [
                "y", "x", "n", "a", "b", "/a", "/a/b", "/../../secret", "../secret", "secret", "/c/a/b", "", "0:0:0644",
                "U+1", "L-1",
            ].map { Array($0.utf8) }
            + [[0, 0xfb, 29, 0, 1] + [UInt8](repeating: 7, count: 24)]
        let names = OverlayNames.all
        for round in 0..<max(1, Self.rounds / 1000) {
            let s = try Sandbox()
            try s.directory("secret")
            try s.file("secret/file", Array("SECRET".utf8))
            let layers: [FileName] = ["l0", "l1", "l2"]
            for layer in layers {
                try s.directory(layer)
                try grow(s, layer, 0, &random)
                for path in try s.lines(layer).map({ FileName(String($0.prefix { $0 != "=" && $0 != "-" })) })
                where random.below(3) == 0 {
                    let own = layer / (path.bytes.last == 0x2f ? FileName(bytes: path.bytes.dropLast()) : path)
                    try? s.mark(own, names[random.below(names.count)], mutated(values, &random))
                }
            }
            let before = try layers.map { try s.manifest($0, .untouched) }
            for redirects in [MountOptions.RedirectDir.on, .noFollow] {
                let stack = try s.stack(layers, upper: false) {
                    $0.redirectDir = redirects
                    $0.metacopy = true
                    $0.xattrPermissions = 2
                }
                var seen = 0
                walk(stack, stack.root, depth: 0, &seen)
                #expect(seen < 100_000, "seed \(Self.seed), round \(round)")
            }
            #expect(try layers.map { try s.manifest($0, .untouched) } == before, "seed \(Self.seed), round \(round)")
        }
    }

    private func grow(_ s: Sandbox, _ directory: FileName, _ depth: Int, _ random: inout Generator) throws {
        for name in ["a", "b", "c"] {
            let own = directory / FileName(name)
            switch random.below(6) {
            case 0: break
            case 1: try s.file(own, Array("data".utf8))
            case 2: try s.symlink(own, "../../secret")
            case 3 where depth > 0: try s.node(own, mode: 0o020000)
            default:
                guard depth < 3 else { break }
                try s.directory(own)
                try grow(s, own, depth + 1, &random)
            }
        }
    }

    private func walk(_ stack: LayerStack, _ directory: MergedDirectory, depth: Int, _ seen: inout Int) {
        guard depth < 12, let listing = try? MergedListing(directory, stack) else { return }
        for entry in listing.all {
            seen += 1
            listing.withName(entry) { name in
                guard let found = try? stack.lookup(directory, name) else { return }
                #expect(found.layer < 3 && !Whiteout.isDevice(found.status), "\(name.owned)")
                if let below = found.directory { return walk(stack, below, depth: depth + 1, &seen) }
                guard found.status.isRegular, let part = directory.part(inLayer: found.layer) else { return }
                let content =
                    found.isMetacopy
                    ? try? stack.openData(directory, name).fd.reopenQuietly(0).fd.readAll(limit: 100)
                    : try? part.fd.openQuietly(name, 0o400000 /* O_NOFOLLOW */).fd.readAll(limit: 100)
                #expect(content.map { !$0.elementsEqual("SECRET".utf8) } ?? true, "\(name.owned)")
            }
        }
    }
}

private enum OverlayNames {
    static let all: [FileName] =
        [OverlayXattr.opaque, .redirect, .origin, .impure, .nlink, .upper, .metacopy, .whiteout, .protattr].flatMap {
            [$0.name(.trusted).owned, $0.name(.user).owned]
        } + OverrideForm.allCases.map { $0.name.owned } + ["user.fuseoverlayfs.opaque"]
}
