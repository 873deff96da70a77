import LinuxSys
import Testing

@testable import UnionCore

/// Numbers that are read out of handles, against st_ino; and notes that lock ranks are checked.
struct HandleFormTests {
    @Test func numberOfEveryKind() throws {
        let s = try Sandbox()
        try s.build("l", ["f=1", "d/", "d/g=1", "x->y", "p|"])
        let stack = try s.stack(["l"])
        let lower = try #require(stack.layers.last)
        let form = try #require(lower.handleForm, "the filesystem of /var/tmp is not known")
        for name: FileName in ["f", "d", "d/g", "x", "p"] {
            let handle = try name.withRef { n in try lower.root.fd.handle(n) }
            #expect(try form.number(of: handle) == s.status("l" / name).ino, "\(name)")
        }
    }
    @Test func onlyFormsThatAreKnown() throws {
        let ext4 = FileHandle(type: 1, bytes: [2, 1, 0, 0, 9, 9, 9, 9])
        let form = try #require(HandleForm(root: ext4, ino: 0x102, filesystem: 0xef53))
        #expect(form.number(of: FileHandle(type: 1, bytes: [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0])) == 0xffff_ffff)
        #expect(form.number(of: FileHandle(type: 2, bytes: ext4.bytes)) == nil)
        #expect(
            form.number(of: FileHandle(type: 1, bytes: ext4.bytes + [0])) == nil
                && form.number(of: FileHandle(type: 1, bytes: [])) == nil)
        // The root proves it: a filesystem that writes something else is not believed.
        #expect(HandleForm(root: ext4, ino: 3, filesystem: 0xef53) == nil)
        #expect(HandleForm(root: ext4, ino: 0x102, filesystem: 0x6573_5546) == nil)
        let tmpfs = try #require(
            HandleForm(
                root: FileHandle(type: 1, bytes: [7, 7, 7, 7, 1, 0, 0, 0, 0, 0, 0, 0]), ino: 1, filesystem: 0x0102_1994)
        )
        #expect(tmpfs.number(of: FileHandle(type: 1, bytes: [7, 7, 7, 7, 5, 0, 0, 0, 1, 0, 0, 0])) == 0x1_0000_0005)
        let volume: [UInt8] = [5, 0, 0, 0, 0, 0, 0, 0]
        let generation: [UInt8] = [1, 0, 0, 0]
        let btrfs = try #require(
            HandleForm(
                root: FileHandle(type: 0x4d, bytes: [0, 1, 0, 0, 0, 0, 0, 0] + volume + generation), ino: 256,
                filesystem: 0x9123_683e))
        #expect(btrfs.number(of: FileHandle(type: 0x4d, bytes: [9, 1, 0, 0, 0, 0, 0, 0] + volume + generation)) == 265)
        #expect(
            btrfs.number(
                of: FileHandle(type: 0x4d, bytes: [9, 1, 0, 0, 0, 0, 0, 0] + [6, 0, 0, 0, 0, 0, 0, 0] + generation))
                == nil)
    }
    @Test func indexNamesReadBack() throws {
        let origin = try #require(
            Origin(
                handle: FileHandle(type: 1, bytes: [1, 2, 3, 4, 5, 6, 7, 0xfe]),
                uuid: [UInt8](repeating: 0xab, count: 16)))
        #expect(Origin(indexName: origin.indexName) == origin)
        for name: FileName in [
            "", "x", "0", "00fb", "strange", "zz", FileName(bytes: origin.indexName.bytes.dropLast()),
        ] { #expect(Origin(indexName: name) == nil, "\(name)") }
    }
    @Test func anIndexOfOthersIsRefused() throws {
        let s = try Sandbox()
        try s.build("l", ["a=one", "a==b"])
        try s.build("l2", ["a=one", "a==b"])
        _ = try TestUnion(s, ["l"])
        #expect(throws: UnionError.self) { try s.stack(["l2"]) { $0.index = .on } }
        let automatic = try s.stack(["l2"]) { $0.index = .auto }
        #expect(
            automatic.index == nil && automatic.notes.count == 1
                && automatic.notes[0].contains("another lower directory"))
        #expect(try s.stack(["l"]) { $0.index = .on }.index != nil)
    }
}
