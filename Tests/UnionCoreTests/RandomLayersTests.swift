import LinuxSys
import Testing

@testable import UnionCore

/// Random layers, and random changes to an upper one, against the kernel's overlayfs. A failure prints the seed that
/// repeats it.
struct RandomLayersTests {
    /// A tree of few names, so that layers meet; whiteouts, opaque directories and redirects in all but the lowest.
    private func grow(_ s: Sandbox, _ directory: FileName, depth: Int, isLowest: Bool, _ random: inout Generator) throws
    {
        for name in ["a", "b", "c", "d"] {
            let own = directory / FileName(name)
            switch random.below(isLowest ? 5 : 9) {
            case 0: break
            case 1: try s.file(own, Array(own.bytes))
            case 2 where depth < 3, 3 where depth < 3, 4 where depth < 3, 5 where depth < 3, 6 where depth < 3:
                try s.directory(own)
                try grow(s, own, depth: depth + 1, isLowest: isLowest, &random)
                if isLowest { break }
                switch random.below(8) {
                case 0: try s.mark(own, "trusted.overlay.opaque", "y")
                case 1: try s.mark(own, "trusted.overlay.redirect", ["a", "b", "c", "d"][random.below(4)])
                case 2: try s.mark(own, "trusted.overlay.redirect", ["/a", "/b/c", "/c/a/d", "/d/d"][random.below(4)])
                default: break
                }
            case 7, 8: try s.node(own, mode: 0o020000)
            default: try s.symlink(own, FileName("to" + name))
            }
        }
    }

    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func layersAsTheKernelSeesThem(_ seed: UInt64) throws {
        var random = Generator(state: seed)
        let s = try Sandbox()
        let names = (0...(1 + random.below(4))).map { FileName("l\($0)") }
        for name in names {
            try s.directory(name)
            try grow(s, name, depth: 0, isLowest: name == names.last, &random)
        }
        let ours = try s.stack(names, upper: false) { $0.whiteouts = .overlay }.lines()
        let kernels = try s.kernel(names, upper: false, "redirect_dir=follow") { try s.lines($0, skipsMissing: true) }
        #expect(ours == kernels, "seed \(seed)")
    }

    /// Changes made by us, seen by the kernel and by ourselves after a remount, against a plain directory that had the
    /// same done to it.
    @Test(arguments: 1...25 as ClosedRange<UInt64>)
    func changesAsTheKernelSeesThem(_ seed: UInt64) throws {
        var random = Generator(state: seed &* 7919)
        let s = try Sandbox()
        let lowers: [FileName] = ["l0", "l1"]
        for name in lowers {
            try s.directory(name)
            try grow(s, name, depth: 0, isLowest: true, &random)
        }
        var union = try TestUnion(s, lowers) { $0.durability = .volatile }
        let before = try lowers.map { try s.manifest($0, .untouched) }
        try s.build("plain", try union.stack.lines())
        let plain = FD.currentDirectory
        func there(_ path: FileName) -> FileName { s.at("plain" / path) }

        for step in 0..<60 {
            if step == 30 { union = try TestUnion(s, lowers) { $0.durability = .volatile } }
            let all = try s.lines("plain").map { line in FileName(String(line.prefix { $0 != "=" && $0 != "-" })) }
            guard !all.isEmpty else { break }
            func trimmed(_ name: FileName) -> FileName {
                FileName(bytes: name.bytes.last == 0x2f ? name.bytes.dropLast() : name.bytes[...])
            }
            let subject = trimmed(all[random.below(all.count)])
            let directories = [FileName("")] + all.filter { $0.bytes.last == 0x2f }.map(trimmed)
            let into = directories[random.below(directories.count)]
            let leaf = FileName(["a", "b", "c", "d", "e"][random.below(5)])
            let target = into.isEmpty ? leaf : into / leaf
            // The plain directory says first whether it can be done.
            func both(_ first: (NameRef, NameRef) throws(Errno) -> Void, _ second: () throws -> Void) throws {
                do {
                    try there(subject).withRef { a in try there(target).withRef { b in try first(a, b) } }
                } catch { return }
                try second()
            }
            switch random.below(8) {
            case 0:
                try both { (_, b) throws(Errno) in
                    try plain.makeDirectory(b, mode: 0o755)
                } _: {
                    try union.create(.directory(mode: 0o755), target)
                }
            case 1:
                try both { (_, b) throws(Errno) in
                    try plain.makeNode(b, mode: 0o100644)
                } _: {
                    try union.file(target)
                }
            case 2:
                try both { (a, _) throws(Errno) in
                    try plain.unlink(a)
                } _: {
                    try union.unlink(subject)
                }
            case 3:
                try both { (a, _) throws(Errno) in
                    try plain.removeDirectory(a)
                } _: {
                    try union.rmdir(subject)
                }
            case 4: try union.copyUp(subject)
            case 5:
                if subject != target, (try? plain.status(there(target))) != nil {
                    try both { (a, b) throws(Errno) in
                        try plain.rename(a, to: plain, b, .exchange)
                    } _: {
                        try union.rename(subject, target, exchange: true)
                    }
                }
            default:
                if subject != target {
                    try both { (a, b) throws(Errno) in
                        try plain.rename(a, to: plain, b)
                    } _: {
                        try union.rename(subject, target)
                    }
                }
            }
            let (ours, expected) = (try union.stack.lines(), try s.lines("plain"))
            #expect(ours == expected, "seed \(seed), step \(step)")
            if ours != expected { return }
        }
        union.stack.close()
        #expect(try s.names("w/work") == [], "seed \(seed)")
        let expected = try s.lines("plain")
        #expect(try s.kernel(lowers) { try s.lines($0) } == expected, "seed \(seed): the kernel")
        #expect(try s.stack(lowers).lines() == expected, "seed \(seed): after a remount")
        #expect(try lowers.map { try s.manifest($0, .untouched) } == before, "seed \(seed): a lower layer was touched")
    }
}

extension FD {
    fileprivate func status(_ path: FileName) throws -> FileStatus { try path.withRef { p in try status(p) } }
}
