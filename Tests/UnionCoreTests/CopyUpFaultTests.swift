import LinuxSys
import Testing

@testable import UnionCore

/// Every step of a copy-up made to fail, at each time it comes, for every kind of object: nothing is left of it, no
/// descriptor stays open, and the next attempt succeeds.
struct CopyUpFaultTests {
    enum Subject: String, CaseIterable, Sendable {
        case file, sparse, symlink, device, directory, indexed, nextName, renamed
    }
    static let errnos = [Errno.noSpace, .io, Errno(122 /* EDQUOT */), .noMemory, .tooManyOpenFiles]
    /// Where the copy is visible and right already, an error is not one of the caller.
    static let tolerated: Set<CopyUpStep> = [.restoreParentTimes, .setImpure]
    private static let past = Timestamp(seconds: 1_200_000_000, nanoseconds: 1)

    private func prepare(_ subject: Subject) throws -> (Sandbox, FileName) {
        let s = try Sandbox()
        try s.directory("l")
        let name = FileName("x-\(s.token)")
        let own = "l" / name
        switch subject {
        case .file: try s.file(own, Array("some content".utf8))
        case .sparse:
            try s.file(own, [])
            let file = try FD.currentDirectory.open(s.at(own), 2)
            _ = try [1, 2, 3].withLent { try file.fd.write($0, at: 1 << 20) }
            try file.fd.truncate(4 << 20)
        case .symlink: try s.symlink(own, "target")
        case .device: try s.node(own, mode: 0o020644, device: 0x107)
        case .directory, .renamed: try s.build(own, ["inside=1"])
        case .indexed, .nextName:
            try s.file(own, Array("some content".utf8))
            try s.link(own, "l/second")
        }
        try s.setOwner(own, 77, 88)
        try s.mark(own, "trusted.one", "1")
        try s.mark(own, "trusted.two", "2")
        try s.setTimes(own, Self.past, Self.past)
        return (s, name)
    }
    private func fresh(_ s: Sandbox) throws {
        for tree: FileName in ["u", "w"] where s.exists(tree) {
            try s.at(tree).withRef { p in try removeTree(FD.currentDirectory, p) }
        }
        try s.directory("u")
        try s.directory("w")
        try s.setTimes("u", Self.past, Self.past)
    }
    private func attempt(_ union: TestUnion, _ subject: Subject, _ name: FileName) throws {
        switch subject {
        case .renamed: try union.rename(name, "moved")
        case .nextName: try union.copyUp("second")
        default: try union.copyUp(name)
        }
    }
    /// Done without a fault before the attempt.
    private func before(_ s: Sandbox, _ subject: Subject, _ name: FileName) throws {
        if subject == .nextName || subject == .renamed {
            try TestUnion(s, ["l"]) { $0.durability = .volatile }.copyUp(name)
        }
    }
    private func state(_ s: Sandbox) throws -> [String] {
        try s.manifest("u", .untouched) + s.manifest("w", [])
    }

    @Test(arguments: Subject.allCases)
    func nothingIsLeft(_ subject: Subject) throws {
        let (s, name) = try prepare(subject)
        let lower = try s.manifest("l", .untouched)
        try fresh(s)
        try before(s, subject, name)
        try attempt(try TestUnion(s, ["l"]), subject, name)
        let complete = try s.manifest("u", .times) + s.manifest("w", [])
        for step in CopyUpStep.allCases {
            var isReached = true
            for (i, errno) in Self.errnos.enumerated() where isReached {
                var time = 1
                while true {
                    try fresh(s)
                    try before(s, subject, name)
                    let faults = FaultPlan(step, errno, atTime: time)
                    // Without fsync, which takes nearly all the time, but where it is what fails.
                    let union = try TestUnion(s, ["l"], faults: faults) {
                        if step != .synchronise { $0.durability = .volatile }
                    }
                    let open = try s.descriptors()
                    let old = try state(s)
                    let what = "\(subject) \(step) for the \(time). time, \(errno.text)"
                    do {
                        try attempt(union, subject, name)
                        #expect(Self.tolerated.contains(step) || faults.reached < time, "\(what): not told")
                        let now = try s.manifest("u", .times) + s.manifest("w", [])
                        let (a, b) = (Self.settled(now, subject, step), Self.settled(complete, subject, step))
                        #expect(Self.tolerated.contains(step) ? a.dropFirst() == b.dropFirst() : a == b, "\(what)")
                    } catch let error as Errno {
                        #expect(error == errno, "\(what)")
                        #expect(!Self.tolerated.contains(step), "\(what)")
                        let now = try state(s)
                        #expect(Self.settled(now, subject, step) == Self.settled(old, subject, step), "\(what)")
                        #expect(try union.stack.find(name) != nil)
                        try attempt(union, subject, name)
                        let after = try s.manifest("u", .times) + s.manifest("w", [])
                        #expect(
                            Self.settled(after, subject, .publish) == Self.settled(complete, subject, .publish),
                            "\(what): second attempt")
                    }
                    #expect(try s.descriptors() == open, "\(what)")
                    // The other errors once are enough: the way back is the same.
                    isReached = time > 1 || faults.reached > 0
                    if faults.reached < time || i > 0 { break }
                    time += 1
                }
            }
        }
        #expect(try s.manifest("l", .untouched) == lower)
    }
    /// A link that was made and taken back changes times and counts of nothing but the directory's and the inode's
    /// change time.
    private static func settled(_ lines: [String], _ subject: Subject, _ step: CopyUpStep) -> [String] {
        let linked = (subject == .indexed || subject == .nextName) && (step == .setLinkCount || step == .publish)
        guard linked || subject == .renamed else { return lines }
        return lines.map { line in
            line.split(separator: " ").filter {
                !$0.hasPrefix("ctime=") && !$0.hasPrefix("mtime=") && !$0.hasPrefix("ino=")
            }.joined(separator: " ")
        }
    }

    @Test func everyStepIsReached() throws {
        var reached: [CopyUpStep: Int] = [:]
        for subject in Subject.allCases {
            let (s, name) = try prepare(subject)
            for step in CopyUpStep.allCases {
                try fresh(s)
                try before(s, subject, name)
                let faults = FaultPlan(step, .io, atTime: Int.max)
                try attempt(try TestUnion(s, ["l"], faults: faults), subject, name)
                reached[step, default: 0] += faults.reached
            }
        }
        // Those of metacopies: MetacopyFaultTests.
        for step in CopyUpStep.allCases where step != .setMetacopy && step != .removeMetacopy {
            #expect(reached[step, default: 0] > 0, "\(step) is never asked")
        }
    }

    @Test func ancestorsThatWereCopiedStayUsable() throws {
        let s = try Sandbox()
        try s.build("l", ["d/", "d/e/", "d/e/f=1"])
        let union = try TestUnion(s, ["l"], faults: FaultPlan(.openSource, .noSpace))
        #expect(throws: Errno.noSpace) { try union.copyUp("d/e/f") }
        #expect(try s.names("u/d/e") == [] && union.stack.lines() == ["d/", "d/e/", "d/e/f=1"])
        try union.copyUp("d/e/f")
        #expect(try s.content("u/d/e/f") == "1")
    }
}
