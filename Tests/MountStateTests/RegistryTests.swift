import Glibc
import LinuxSys
import Testing

@testable import MountState

/// With a run directory of the tests' own; one at a time, as it is named by a variable of the process.
@Suite(.serialized)
final class RegistryTests {
    private let base: FileName
    private let run: FileName

    init() throws {
        let temporary = Process.environment("TMPDIR") ?? "/var/tmp"
        base = temporary.appending(component: FileName("unionfsd-unit-\(UInt64.random(in: 0...UInt64.max))"))
        run = base.appending(component: "run")
        try base.withRef { p in try FD.currentDirectory.makeDirectory(p, mode: 0o700) }
        unsafe setenv("UNIONFSD_RUN_DIR", run.description, 1)
    }
    deinit {
        unsafe unsetenv("UNIONFSD_RUN_DIR")
        MountRegistry.discard(.currentDirectory, run)
        for name in ["upper", "work", "elsewhere"] {
            try? base.appending(component: FileName(name)).withRef { p in try FD.currentDirectory.removeDirectory(p) }
        }
        try? run.withRef { p in try FD.currentDirectory.removeDirectory(p) }
        try? base.withRef { p in try FD.currentDirectory.removeDirectory(p) }
    }

    private func directory(_ name: FileName) throws -> FileName {
        let path = base.appending(component: name)
        try path.withRef { p in try FD.currentDirectory.makeDirectory(p, mode: 0o700) }
        return path
    }
    private func entries() throws -> Int {
        let directory = try FD.currentDirectory.open(run, OpenFlags.directory)
        var reader = DirectoryReader(directory.fd)
        var n = 0
        try reader.forEach { (_, _, _) in
            n += 1
            return true
        }
        return n
    }

    @Test func aMountIsListedWhileItsProcessLives() throws {
        #expect(try MountRegistry.list().isEmpty)
        var record = MountRecord(mountpoint: "/some/where")
        record.pid = Process.id
        var registration: MountRegistration? = try MountRegistration(record)
        var mount = try #require(try MountRegistry.list().first)
        #expect(mount.record == record && mount.state == .alive && !mount.isVisible)
        #expect(MountRegistry.isServed(mount))

        record.device = "0:99999"
        try registration?.update(record)
        mount = try #require(try MountRegistry.list().first)
        #expect(mount.record.device == "0:99999")
        registration?.statistics.recordWhiteout()
        #expect(try MountRegistry.statistics(of: mount).whiteouts == 1)
        #expect(try MountRegistry.find("/some/where")?.id == mount.id)
        #expect(try MountRegistry.find("/some") == nil)

        // Its lock goes with the process, here with the object; no mount has that device: it is swept.
        registration = nil
        #expect(!MountRegistry.isServed(mount))
        #expect(try MountRegistry.list().isEmpty)
        #expect(try entries() == 0)
    }

    @Test func anotherProgramTakesTheEntryOver() throws {
        let id: FileName
        var second: MountRegistration?
        do {
            let first = try MountRegistration(MountRecord(mountpoint: "/m"))
            id = first.id
            first.statistics.recordWhiteout()
            second = try MountRegistration(adopting: id, lock: first.lockFile)
        }
        second?.statistics.recordWhiteout()
        let mount = try #require(try MountRegistry.list().first)
        #expect(mount.id == id && mount.state == .alive && MountRegistry.isServed(mount))
        #expect(try MountRegistry.statistics(of: mount).whiteouts == 2)
        // A lock of something else is none.
        let other = try SharedMemory.anonymousFile(name: "lock")
        #expect(throws: RegistryError.self) { _ = try MountRegistration(adopting: id, lock: other.fd) }
        second?.remove()
        second = nil
        #expect(try entries() == 0)
    }

    @Test func removedInOrder() throws {
        let registration = try MountRegistration(MountRecord(mountpoint: "/m"))
        _ = try registration.openLog()
        registration.remove()
        #expect(try entries() == 0)
    }

    @Test func whatIsHalfMadeHasAMinute() throws {
        _ = try MountRegistry.list()
        _ = try RunDirectory(create: true)
        let half = run.appending(component: ".new-abc")
        let empty = run.appending(component: "abc")
        for path in [half, empty] { try path.withRef { p in try FD.currentDirectory.makeDirectory(p, mode: 0o700) } }
        #expect(try MountRegistry.list().isEmpty)
        #expect(try entries() == 2)
        let old = Timestamp(seconds: Clock.realtime - 100, nanoseconds: 0)
        for path in [half, empty] {
            try path.withRef { p in try FD.currentDirectory.setTimes(p, access: old, modification: old) }
        }
        #expect(try MountRegistry.list().isEmpty)
        #expect(try entries() == 0)
    }

    @Test func aRunDirectoryThatOthersReachIsRefused() throws {
        try run.withRef { p in try FD.currentDirectory.makeDirectory(p, mode: 0o700) }
        try run.withRef { p in try FD.currentDirectory.changeMode(p, 0o750) }
        #expect(throws: RegistryError.self) { _ = try MountRegistration(MountRecord(mountpoint: "/m")) }
        try run.withRef { p in try FD.currentDirectory.removeDirectory(p) }
        // Nor is a symlink followed there.
        let elsewhere = try directory("elsewhere")
        try run.withRef { r in try elsewhere.withRef { e in try FD.currentDirectory.makeSymlink(r, target: e) } }
        #expect(throws: RegistryError.self) { _ = try MountRegistration(MountRecord(mountpoint: "/m")) }
        try run.withRef { p in try FD.currentDirectory.unlink(p) }
    }

    @Test func oneWriterForALayer() throws {
        let upper = try directory("upper")
        let work = try directory("work")
        var first: LayerClaim? = try LayerClaim(upper: upper, work: work, refuse: true)
        #expect(first?.isSole == true && first?.note == nil)

        var record = MountRecord(mountpoint: "/the/first")
        record.pid = 4711
        record.upperIdentity = first?.upperIdentity
        record.workIdentity = first?.workIdentity
        let registration = try MountRegistration(record)
        do {
            _ = try LayerClaim(upper: upper, work: work, refuse: true)
            Issue.record("a second writer was let in")
        } catch {
            #expect(error.description.contains("is in use by the mount at \"/the/first\" (process 4711)"))
        }
        let engine = try LayerClaim(upper: upper, work: work, refuse: false)
        #expect(!engine.isSole && engine.note?.contains("/the/first") == true)
        registration.remove()

        first = nil
        _ = try LayerClaim(upper: upper, work: work, refuse: true)
    }
}
