import LinuxSys
import Testing

@testable import UnionCore

/// Where things are made before they are shown.
struct WorkDirectoryTests {
    @Test func whatWasLeftIsRemoved() throws {
        let s = try Sandbox()
        try s.build("l", ["f=1"])
        try s.build("outside", ["precious=1"])
        try s.build(
            "w",
            [
                "work/", "work/#1=left", "work/#2/", "work/#2/deep/", "work/#2/deep/x=1", "work/#3!", "work/#4|",
                "index/", "other=stays",
            ])
        try s.symlink("w/work/#5", s.at("outside"))
        try s.symlink("w/work/#2/link", s.at("outside"))
        let stack = try s.stack(["l"])
        #expect(try s.names("w/work") == [] && s.names("w") == ["index", "other", "work"])
        #expect(try s.content("outside/precious") == "1")
        stack.close()
    }
    @Test func notWhereSomebodyElseMayUseIt() throws {
        let s = try Sandbox()
        try s.build("l", ["f=1"])
        try s.build("w", ["work/", "work/#1=in use"])
        _ = try LayerStack(options: try s.options(["l"]), ownsWork: false)
        #expect(try s.names("w/work") == ["#1"])
    }
    @Test func probingLeavesNothing() throws {
        let s = try Sandbox()
        try s.build("l", ["f=1"])
        let stack = try s.stack(["l"])
        let work = try #require(stack.work)
        #expect(!work.usesMarkerFiles && work.hasTemporaryFiles && work.hasRenameWhiteout)
        #expect(try s.names("w/work") == [] && s.names("u") == [])
    }
    @Test func namesAreNeverTheSame() throws {
        let s = try Sandbox()
        try s.build("l", ["f=1"])
        let a = try s.stack(["l"])
        let b = try s.stack(["l"])
        var seen: Set<FileName> = []
        for _ in 0..<1000 {
            for stack in [a, b] { seen.insert(try #require(stack.work).temporaryName().withRef { $0.owned }) }
        }
        #expect(seen.count == 2000)
    }
    @Test func stacksThatCannotBe() throws {
        let s = try Sandbox()
        try s.build("l", ["f=1"])
        func said(_ change: (inout MountOptions) -> Void) throws -> String {
            do {
                _ = try s.stack(["l"], change)
                return "fine"
            } catch let error as UnionError { return error.message }
        }
        #expect(try said { $0.work = nil }.contains("needs a work directory"))
        #expect(try said { $0.lower = [s.at("none")] }.contains("does not exist"))
        #expect(try said { $0.lower = [s.at("l/f")] }.contains("is not a directory"))
        #expect(
            try said {
                $0.lower = []
                $0.upper = nil
            }.contains("no layers"))
        #expect(try said { $0.upper = s.at("none") }.contains("does not exist"))
        #expect(try s.descriptors() == [])
    }
    @Test func descriptorsAreClosedWithTheStack() throws {
        let s = try Sandbox()
        try s.build("l", ["d/", "d/f=1"])
        try {
            let union = try TestUnion(s, ["l"])
            try union.copyUp("d/f")
            try union.rename("d", "e")
            try union.unlink("e/f")
            #expect(try s.descriptors() != [])
        }()
        #expect(try s.descriptors() == [])
    }
}
