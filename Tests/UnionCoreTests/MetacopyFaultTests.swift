import LinuxSys
import Testing

@testable import UnionCore

/// Every step of a metacopy and of giving it its data, made to fail: the union shows the lower data until all of them
/// are there, and the next attempt succeeds.
struct MetacopyFaultTests {
    private static let content = Array(repeating: UInt8(ascii: "x"), count: 300_000)

    private func union(
        _ s: Sandbox, _ faults: FaultPlan?, _ durability: MountOptions.Durability = .auto
    ) throws -> TestUnion {
        try TestUnion(s, ["l"], faults: faults) {
            $0.durability = durability
            $0.metacopy = true
            $0.redirectDir = .on
        }
    }
    private func fill(_ union: TestUnion, _ extent: CopyUpExtent = .all) throws {
        let upper = try #require(union.stack.root.upper)
        try FileName("f").withRef { n in
            let object = try union.stack.openData(union.stack.root, n)
            let data = try object.fd.reopenQuietly(0)
            let file = try upper.fd.open(n, 2)
            _ = try union.stack.fillMetacopy(file.fd, from: data.fd, extent)
        }
    }
    private func content(_ union: TestUnion) throws -> [UInt8] {
        try FileName("f").withRef { n in
            let object = try union.stack.openData(union.stack.root, n)
            let file = try object.fd.reopenQuietly(0)
            return try file.fd.readAll()
        }
    }

    @Test(arguments: CopyUpStep.allCases) func nothingIsLostAndTheNextOneSucceeds(_ step: CopyUpStep) throws {
        let s = try Sandbox()
        try s.directory("l")
        try s.file("l/f", Self.content)
        let faults = FaultPlan(step, .noSpace)
        let failing = try union(s, faults)
        do { try failing.copyUp("f", extent: .metadata) } catch { #expect(error as? Errno == .noSpace) }
        #expect(try content(failing) == Self.content)
        let retry = try union(s, nil)
        try retry.copyUp("f", extent: .metadata)
        #expect(try s.content("u/f").count == Self.content.count)

        let second = FaultPlan(step, .noSpace)
        let filling = try union(s, second)
        var failed = false
        do { try fill(filling) } catch {
            failed = true
            #expect(error as? Errno == .noSpace)
        }
        #expect(try content(filling) == Self.content)
        if failed { try fill(try union(s, nil)) }
        #expect(Array(try s.content("u/f").utf8) == Self.content)
        #expect(try s.names("w/work") == [])
        if step == .setMetacopy { #expect(faults.reached > 0) }
        if step == .removeMetacopy { #expect(second.reached > 0) }
    }

    /// What the caller cuts is the new file at once, with its time: nobody sees the end gone and the old time.
    @Test func cutOnItsWay() throws {
        let s = try Sandbox()
        try s.directory("l")
        try s.file("l/f", Self.content)
        let past = Timestamp(seconds: 1_200_000_000, nanoseconds: 1)
        try s.setTimes("l/f", past, past)
        let union = try union(s, nil)
        try union.copyUp("f", extent: .metadata)
        let upper = try #require(union.stack.root.upper)
        func time() throws -> Timestamp { try FileName("f").withRef { n in try upper.fd.status(n).mtime } }
        #expect(try time() == past)
        try fill(union, .prefix(10))
        #expect(try s.content("u/f") == String(repeating: "x", count: 10) && time() != past)
    }
    /// `strict`: that the mark is gone is on the disk too, or a crash would bring the lower data back after the reply.
    @Test func strictSyncsTheEndOfTheMark() throws {
        for (durability, syncs) in [(MountOptions.Durability.volatile, 0), (.auto, 1), (.strict, 2)] {
            let s = try Sandbox()
            try s.directory("l")
            try s.file("l/f", Self.content)
            try union(s, nil, durability).copyUp("f", extent: .metadata)
            let counted = FaultPlan(.synchronise, .io, atTime: Int.max)
            try fill(try union(s, counted, durability))
            #expect(counted.reached == syncs, "\(durability)")
        }
    }
}
