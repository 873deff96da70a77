import LinuxSys
import Testing

@testable import UnionCore

/// The names of a merged directory.
struct ListingTests {
    @Test func eachNameOnce() throws {
        let s = try Sandbox()
        try s.build("a", ["f=1", "d/", "w!"])
        try s.build("b", ["f=2", "d/", "w=2", "g|"])
        try s.build("c", ["f/", "d=3", "w=3", "l->x", "u=0"])
        let stack = try s.stack(["a", "b", "c"], upper: false)
        let names = try stack.names(stack.root)
        #expect(names.map { $0.0 } == ["d", "f", "g", "l", "u"])
        #expect(names.map { $0.1 } == [.directory, .regular, .fifo, .symlink, .regular])
    }
    @Test func markersHideBelowAndNotBeside() throws {
        let s = try Sandbox()
        try s.build("a", ["f=1", ".wh.f=", ".wh.g=", "x!", ".wh.x="])
        try s.build("b", ["f=2", "g=2", "h=2", ".wh.h="])
        try s.build("c", ["f=3", "g=3", "h=3", "x=3"])
        #expect(try s.stack(["a", "b", "c"], upper: false).lines() == ["f=1", "h=2"])
        // In a layer that is alone, too.
        #expect(try s.stack(["a"], upper: false).lines() == ["f=1"])
        #expect(try s.stack(["b"], upper: false).lines() == ["f=2", "g=2", "h=2"])
    }
    @Test func numbersAreThoseOfLookup() throws {
        let s = try Sandbox()
        try s.build("a", ["f=1", "d/"])
        try s.build("b", ["g=1", "d/"])
        let union = try TestUnion(s, ["a", "b"])
        try union.copyUp("g")
        try union.copyUp("d")
        try union.file("new")
        let stack = union.stack
        let listing = try MergedListing(stack.root, stack)
        for entry in listing.all {
            let name = listing.withName(entry) { $0.owned }
            let found = try #require(try stack.look(stack.root, name))
            #expect(entry.inoNeedsLookup || entry.ino == found.ino, "\(name)")
        }
        #expect(listing.all.count == listing.count && listing.count == 4)
        #expect(try stack.find("g")?.ino == s.status("b/g").ino)
    }
    @Test func manyNames() throws {
        let s = try Sandbox()
        try s.build("a", (0..<20_000).map { $0 % 4 == 0 ? "f\($0)!" : "f\($0)=" })
        try s.build("b", (0..<20_000).map { "f\($0)=" } + (0..<5_000).map { "g\($0)/" })
        let stack = try s.stack(["a", "b"], upper: false)
        let names = try stack.names(stack.root)
        #expect(names.count == 20_000)
        #expect(Set(names.map { $0.0 }).count == 20_000)
        #expect(names.filter { $0.1 == .directory }.count == 5_000)
        #expect(!names.contains { $0.0 == "f0" || $0.0 == "f19996" })
    }
    @Test func emptiness() throws {
        let s = try Sandbox()
        try s.build("a", ["w/", "w/f!", "w/.wh.g=", "full/", "one/", "one/f!", "x/", "x/f="])
        try s.mark("a/x", "trusted.overlay.opaque", "x")
        try s.mark("a/x/f", "trusted.overlay.whiteout", "")
        try s.build("b", ["w/", "w/f=1", "w/g=1", "full/", "full/f=", "one/", "one/f=1", "one/.wh.g=", "x/", "x/f=1"])
        try s.build("c", ["one/", "one/g=1"])
        let stack = try s.stack(["a", "b", "c"], upper: false)
        for (name, isEmpty) in [("w", true), ("full", false), ("one", true), ("x", true)] as [(FileName, Bool)] {
            #expect(try stack.isEmpty(try #require(try stack.find(name)?.directory)) == isEmpty, "\(name)")
        }
    }
    @Test func whoHasTheName() throws {
        let s = try Sandbox()
        try s.build("a", ["f=1", "gone!", ".wh.oci=", "d/"])
        try s.build("b", ["f=1", "gone=", "oci=", "g="])
        try s.build("c", ["d/", "gone="])
        let stack = try s.stack(["a", "b", "c"], upper: false)
        let listing = try MergedListing(stack.root, stack)
        func layers(_ name: FileName) -> [Int] {
            name.withRef { n in (0..<3).filter { listing.find(n)?.layers.contains($0) ?? false } }
        }
        #expect(
            layers("f") == [0, 1] && layers("gone") == [0, 1, 2] && layers("oci") == [0, 1] && layers("g") == [1]
                && layers("d") == [0, 2] && layers("none") == [])
        #expect(listing.count == 3)
        for name: FileName in ["f", "gone", "oci", "g", "d", "none"] {
            let listed = name.withRef { n in listing.find(n) }
            let found = try name.withRef { n in
                listed == nil ? nil : try stack.lookup(stack.root, n, in: listed?.layers ?? .all)
            }
            #expect(
                try found?.layer == stack.look(stack.root, name)?.layer && (found == nil) == (listed?.isHidden ?? true),
                "\(name)")
        }
    }
    /// A stream goes on over changes and over a listing that was made anew: what is there all the time comes once.
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func changesWhileItIsRead(_ seed: UInt64) {
        var random = Generator(state: seed)
        var listing = MergedListing()
        var shown: Set<FileName> = []
        func name(_ number: Int) -> FileName { FileName("name\(number)") }
        func change() {
            let one = name(random.below(600))
            if shown.remove(one) != nil {
                one.withRef { listing.hide($0, isInUpper: random.below(2) == 0) }
            } else {
                one.withRef { listing.show($0, ino: 1, .regular) }
                shown.insert(one)
            }
        }
        for _ in 0..<400 { change() }
        for _ in 0..<5 {
            var always = shown
            var seen: [FileName] = []
            var cookie: UInt64 = 2
            var goesOn = true
            while goesOn {
                var left = 7
                listing.forEach(behind: cookie) { entry in
                    if left == 0 { return false }
                    left -= 1
                    cookie = UInt64(entry.cookie)
                    seen.append(listing.withName(entry) { $0.owned })
                    return true
                }
                goesOn = left == 0
                for _ in 0..<random.below(6) {
                    change()
                    always.formIntersection(shown)
                }
                if random.below(10) == 0 {
                    listing = MergedListing()
                    for one in shown { one.withRef { listing.show($0, ino: 1, .regular) } }
                }
            }
            #expect(Set(seen).count == seen.count, "seed \(seed): a name twice")
            #expect(always.isSubset(of: seen), "seed \(seed): left out")
            #expect(
                listing.count == shown.count && Set(listing.all.map { e in listing.withName(e) { $0.owned } }) == shown,
                "seed \(seed)")
            for number in 0..<600 {
                let isShown = name(number).withRef { listing.find($0).map { !$0.isHidden } ?? false }
                #expect(isShown == shown.contains(name(number)), "seed \(seed)")
            }
        }
    }
    /// Once for what was asked, and not again for each name, should the listing not stay in its cache.
    @Test func aListingIsDueWhenItHasPaid() throws {
        let s = try Sandbox()
        try s.build("a", ["f=1"])
        try s.build("b", ["g=1"])
        let root = try s.stack(["a", "b"], upper: false).root
        var due: [Int] = []
        for number in 0..<1000 where root.isListingDue() { due.append(number) }
        #expect(!due.isEmpty && due.count < 100)
        let gaps = zip(due, due.dropFirst()).map { $1 - $0 }
        #expect(Set(gaps).count <= 1 && (gaps.first ?? 2) > 1)
    }
    @Test func namesThatWereNeverInALayerGo() {
        let listing = MergedListing()
        for number in 0..<100_000 {
            let name = FileName("temporary\(number)")
            name.withRef { listing.show($0, ino: 1, .regular) }
            name.withRef { listing.hide($0, isInUpper: false) }
        }
        #expect(listing.count == 0 && listing.footprint < 100_000)
    }
    @Test func anEmptyNameNeverComes() throws {
        let s = try Sandbox()
        try s.build("a", [".wh.=", ".wh..wh.=", "f="])
        #expect(try s.stack(["a"], upper: false).lines() == ["f="])
    }
}

extension MergedListing {
    /// What is shown, in order.
    var all: [Entry] {
        var all: [Entry] = []
        forEach(behind: 2) { entry in
            all.append(entry)
            return true
        }
        return all
    }
}
