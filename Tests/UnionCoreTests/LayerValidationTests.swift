import LinuxSys
import Testing

@testable import UnionCore

/// What is refused before a mount, on real directories below $TMPDIR.
struct LayerValidationTests {
    /// A directory that goes with its owner.
    private final class Place {
        let path: FileName
        init() throws {
            let base = Process.environment("TMPDIR") ?? "/var/tmp"
            path = base.appending(component: FileName("unionfsd-unit-\(UInt64.random(in: 0...UInt64.max))"))
            try path.withRef { p in try FD.currentDirectory.makeDirectory(p, mode: 0o755) }
        }
        deinit { try? path.withRef { p in try removeTree(FD.currentDirectory, p) } }

        @discardableResult func directory(_ name: String) throws -> FileName {
            let made = path.appending(component: FileName(name))
            try made.withRef { p in try FD.currentDirectory.makeDirectory(p, mode: 0o755) }
            return made
        }
        func file(_ name: String) throws -> FileName {
            let made = path.appending(component: FileName(name))
            try made.withRef { p in try FD.currentDirectory.makeNode(p, mode: 0o100644) }
            return made
        }
        /// `layers/lower`, `upper`, `work`, `mnt`.
        func usual(_ form: CallForm = .strict) throws -> MountOptions {
            var options = MountOptions(form: form)
            try directory("layers")
            options.lower = [try directory("layers/lower")]
            options.upper = try directory("upper")
            options.work = try directory("work")
            options.mountpoint = try directory("mnt")
            return options
        }
    }

    private func said(_ options: MountOptions) -> String {
        do { return "fine: \(try LayerValidation.check(options))" } catch { return error.message }
    }

    @Test func whatIsRightPasses() throws {
        let place = try Place()
        let options = try place.usual()
        #expect(said(options) == "fine: []")
        // What overlayfs leaves in its work directory is not foreign.
        try place.directory("work/work")
        try place.directory("work/index")
        #expect(said(options) == "fine: []")
    }

    @Test func layersThatAreNone() throws {
        let place = try Place()
        var options = try place.usual()
        options.lower.append(place.path.appending(component: "nowhere"))
        #expect(said(options).hasSuffix("nowhere\" does not exist: create it or correct the path"))
        options.lower = [try place.file("file")]
        #expect(said(options).hasSuffix("file\" is not a directory"))
        options = MountOptions(form: .engine)
        options.lower = [place.path]
        options.mountpoint = place.path.appending(component: "file")
        #expect(said(options).contains("mount point") && said(options).hasSuffix("is not a directory"))
    }

    @Test func layersInOneAnother() throws {
        let place = try Place()
        var options = try place.usual()
        let lower = options.lower
        options.lower = [try #require(options.upper)]
        #expect(said(options).contains("are the same directory"))
        options.lower = [place.path]
        #expect(said(options).contains("lies inside lower layer"))
        options.lower = [try place.directory("upper/below")]
        #expect(said(options).contains("lies inside upper layer"))
        options.lower = lower
        options.mountpoint = try place.directory("upper/mnt")
        #expect(said(options).contains("lies inside upper layer"))
        // Over the upper layer itself is fine: it is open by then.
        options.mountpoint = options.upper
        #expect(said(options) == "fine: []")
    }

    @Test func aSymlinkIsWhatItLeadsTo() throws {
        let place = try Place()
        var options = try place.usual()
        let link = place.path.appending(component: "link")
        try link.withRef { l in try FD.currentDirectory.makeSymlink(l, target: NameRef("upper")) }
        options.lower = [link]
        #expect(said(options).contains("are the same directory"))
    }

    @Test func workDirectories() throws {
        let place = try Place()
        var options = try place.usual()
        let work = options.work
        options.work = options.upper
        #expect(said(options).contains("is the upper layer itself"))
        options.work = try place.directory("upper/work")
        #expect(said(options).contains("would show in the mount"))
        options.work = work
        options.upper = try place.directory("work/upper")
        #expect(said(options).contains("which is emptied"))
        options.upper = place.path.appending(component: "upper")
        #expect(said(options).contains("\"upper\" in it"))
        options.work = FileName("/dev/shm")
        #expect(said(options).contains("different filesystems"))
    }

    @Test func foreignContentIsRefusedToPeopleAndToldToEngines() throws {
        let place = try Place()
        var options = try place.usual()
        try place.directory("work/precious")
        #expect(said(options).contains("is not empty: it has \"precious\" in it"))
        options.form = .engine
        #expect(said(options).hasPrefix("fine: [") && said(options).contains("precious"))
    }

    @Test(arguments: [CallForm.strict, .engine])
    func aVolatileUpperThatCrashed(_ form: CallForm) throws {
        let place = try Place()
        let options = try place.usual(form)
        for name in ["work/work", "work/work/incompat"] { try place.directory(name) }
        #expect(said(options) == "fine: []")
        try place.directory("work/work/incompat/volatile")
        #expect(said(options).contains("volatile mount that did not end in order"))
    }

    @Test func nothingIsLeftOpenOrWritten() throws {
        let place = try Place()
        var options = try place.usual()
        let upper = try FD.currentDirectory.open(try #require(options.upper), OpenFlags.path)
        let before = try upper.fd.status()
        _ = said(options)
        options.lower.append("/nowhere")
        _ = said(options)
        let after = try upper.fd.status()
        #expect(before.ctime == after.ctime && before.mtime == after.mtime)
    }
}
